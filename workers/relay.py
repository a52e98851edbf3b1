"""arq rings the bell once a second; what is owed is in Postgres."""

from arq import cron

from vitalrelay.adapters.inbound.jobs import relay_what_is_due
from workers.process import (
    EVERY_SECOND,
    POLL_DELAY_S,
    close_context,
    open_context,
    redis_settings,
)


class WorkerSettings:
    queue_name = "vitalrelay:arq:relay"
    # Not unique: every worker may claim at once, SKIP LOCKED keeps them apart.
    cron_jobs = (cron(relay_what_is_due, **EVERY_SECOND),)
    redis_settings = redis_settings()
    poll_delay = POLL_DELAY_S
    on_startup = open_context
    on_shutdown = close_context
