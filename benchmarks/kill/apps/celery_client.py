"""Submit a Celery task for each line "number seconds" of standard input."""

import sys

from celery_app import run

for line in sys.stdin:
    number, seconds = line.split()
    run.delay(int(number), float(seconds))
    print("ok", flush=True)
