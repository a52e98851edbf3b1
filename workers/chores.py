"""
Once a second: did Redis lose anything, is it time to compare everybody, and who fell silent?

Once an hour: which keys of actions may be forgotten?
"""

from arq import cron

from vitalrelay.adapters.inbound.jobs import forget_old_keys, watch_for_losses, watch_patients
from workers.process import (
    EVERY_SECOND,
    POLL_DELAY_S,
    close_context,
    open_context,
    redis_settings,
)


class WorkerSettings:
    queue_name = "vitalrelay:arq:chores"
    # Not unique: looking twice does no harm, and nobody has to be elected to look.
    cron_jobs = (
        cron(watch_for_losses, **EVERY_SECOND),
        cron(watch_patients, **EVERY_SECOND),
        cron(forget_old_keys, minute=17, second=0, unique=False, timeout=60, keep_result=0),
    )
    redis_settings = redis_settings()
    poll_delay = POLL_DELAY_S
    on_startup = open_context
    on_shutdown = close_context
