"""
Why an embedded server does not run. Each message is one line, without secrets.

EmbeddedServerError
├── AlreadyRunning       an earlier start over the same directory still runs
├── ServerDidNotStart    its log, named in the message, knows more
└── WheelMissing         there is nothing to start here; use a server of your own
"""


class EmbeddedServerError(Exception):
    pass


class AlreadyRunning(EmbeddedServerError):
    pass


class ServerDidNotStart(EmbeddedServerError):
    pass


class WheelMissing(EmbeddedServerError):
    pass
