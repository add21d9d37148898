"""A Celery application on Redis with everything that its documents advise against lost tasks."""

import os

from celery import Celery
from work import step

app = Celery("kill", broker=os.environ["KILL_REDIS"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    # Longer than the longest task; the default is an hour, too long for a benchmark.
    broker_transport_options={"visibility_timeout": 6},
    broker_connection_retry_on_startup=True,
)
run = app.task(name="step")(step)
