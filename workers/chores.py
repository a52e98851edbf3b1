"""Once a second: did Redis lose anything, and is it time to compare everybody?"""

from arq import cron

from vitalrelay.adapters.inbound.jobs import watch_for_losses
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
    cron_jobs = (cron(watch_for_losses, **EVERY_SECOND),)
    redis_settings = redis_settings()
    poll_delay = POLL_DELAY_S
    on_startup = open_context
    on_shutdown = close_context
