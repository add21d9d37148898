"""Submit a django-q2 task for each line "number seconds" of standard input."""

import sys

import django

django.setup()

from django_q.tasks import async_task  # noqa: E402

for line in sys.stdin:
    number, seconds = line.split()
    async_task("work.step", int(number), float(seconds))
    print("ok", flush=True)
