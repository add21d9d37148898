"""A Django project that has nothing but stock django-q2 on SQLite, as its documents set it up."""

import os
from pathlib import Path

SECRET_KEY = "for a benchmark"
INSTALLED_APPS = ["django_q"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ["KILL_FOLDER"]) / "db.sqlite3",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}
# "retry" must exceed "timeout", and both the longest task (django-q2, "Configuration").
Q_CLUSTER = {"name": "kill", "orm": "default", "workers": 2, "timeout": 5, "retry": 6}
