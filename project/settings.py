"""Django settings; the only module that reads the environment.

Every `TIDEMILL_*` variable is declared in `uploads.conf` with its default,
unit and help. Without any variable set, Tidemill runs on one machine with
SQLite and local files below `var/`.
"""

import os
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from project.secret_key import kept_key
from uploads.conf import SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent


def _declared() -> dict[str, Any]:
    """Read every declared setting from the environment; a bad value names its variable."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        variable = f"TIDEMILL_{setting.name}"
        raw = os.environ.get(variable)
        try:
            values[variable] = setting.default if raw is None else setting.parse(raw)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{variable}={raw!r} is not a value in {setting.unit}: {setting.help}"
            ) from error
    return values


_values = _declared()
globals().update(_values)

DATA_DIR: Path = (BASE_DIR / _values["TIDEMILL_DATA"]).resolve()
TIDEMILL_DATA = str(DATA_DIR)
TIDEMILL_RUN_DIR = _values["TIDEMILL_RUN_DIR"] or str(
    Path(gettempdir()) / f"tidemill-{os.getuid()}-{sha256(TIDEMILL_DATA.encode()).hexdigest()[:10]}"
)


# 16 MiB of log between two checkpoints: pages that change with every step are written once.
SQLITE_SET_UP = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
    "PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY"
)


def _database() -> dict[str, Any]:
    """Return Django's description of the database; `DATABASE_URL` names a PostgreSQL."""
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme:
        return {
            "ENGINE": "project.sqlite",
            "NAME": DATA_DIR / "db.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": _values["TIDEMILL_DATABASE_SECONDS"],
                "init_command": SQLITE_SET_UP,
            },
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL starts with {url.scheme!r}; only postgresql:// is possible "
            "(leave it out for SQLite)."
        )
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    return {
        "ENGINE": "project.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.pop("host", unquote(url.hostname or "")),
        "PORT": str(url.port or ""),
        # Reconnecting for every query of a worker costs 15 to 25 times the throughput.
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            # What every step says is planned once for each connection.
            "server_side_binding": True,
            "prepare_threshold": 5,
            **query,
        },
    }


def _email(url_text: str) -> dict[str, Any]:
    """Return Django's e-mail settings from one URL; without it nothing is ever sent."""
    if not url_text:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    url = urlsplit(url_text)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    backend = query.get("backend", "django.core.mail.backends.smtp.EmailBackend")
    return {
        "EMAIL_BACKEND": backend,
        "EMAIL_HOST": url.hostname or "localhost",
        "EMAIL_PORT": url.port or (465 if url.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_SSL": url.scheme == "smtps",
        "EMAIL_USE_TLS": query.get("tls", "1" if url.scheme == "smtp+tls" else "0") == "1",
        "EMAIL_TIMEOUT": 30,
        "DEFAULT_FROM_EMAIL": query.get("from", "tidemill@localhost"),
        "SERVER_EMAIL": query.get("from", "tidemill@localhost"),
    }


(DATA_DIR / "scratch").mkdir(mode=0o700, parents=True, exist_ok=True)
DATA_DIR.chmod(0o700)
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or kept_key(DATA_DIR)
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"

_public = urlsplit(_values["TIDEMILL_PUBLIC_URL"])
_https = _public.scheme == "https"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
if _public.hostname:
    ALLOWED_HOSTS.append(_public.hostname)
if _values["TIDEMILL_HOST"] not in {"127.0.0.1", "::1", "localhost"} and not _public.hostname:
    # Reached under a name that only the operator knows; the Origin and CSRF checks stay.
    ALLOWED_HOSTS = ["*"]
if extra := os.environ.get("DJANGO_ALLOWED_HOSTS"):
    ALLOWED_HOSTS += extra.split(",")
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"] if _public.netloc else []
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_SSL_REDIRECT = _https and os.environ.get("TIDEMILL_SSL_REDIRECT", "1") == "1"
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_AGE = 30 * 86400
SECURE_REFERRER_POLICY = "same-origin"

INSTALLED_APPS = [
    "uploads.apps.UploadsConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "uploads.pages.middleware.TokenAuthentication",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "uploads.pages.middleware.ErrorPages",
    "uploads.pages.middleware.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "uploads.pages.context.frame",
            ],
            "builtins": ["uploads.pages.tags"],
        },
    }
]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CSRF_FAILURE_VIEW = "uploads.pages.views.errors.csrf_failed"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "project.static.ModuleStorage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-src": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = os.environ.get("TZ", "UTC") or "UTC"
USE_TZ = True
USE_I18N = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50_000
DATA_UPLOAD_MAX_NUMBER_FILES = 10_000
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR / "scratch")
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

globals().update(_email(_values["TIDEMILL_EMAIL_URL"]))

# One cluster a lane, each its own process tree with Q_CLUSTER_NAME set by `up`.
# Tickets hold no arguments and no results; a lost one is replaced by a sweep.
_cluster: dict[str, Any] = {
    "orm": "default",
    "broker_class": "uploads.work.tickets.BellBroker",
    "bulk": 1,
    "guard_cycle": 0.5,
    "timeout": 60,
    "retry": 120,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,
    "daemonize_workers": False,
}
LANE_WORKERS = {"cpu": _values["TIDEMILL_WORKERS"], "light": 2}
Q_CLUSTER = {
    "name": "cpu",
    **_cluster,
    "workers": LANE_WORKERS["cpu"],
    "queue_limit": LANE_WORKERS["cpu"],
    "ALT_CLUSTERS": {
        "light": {
            **_cluster,
            "workers": LANE_WORKERS["light"],
            "queue_limit": LANE_WORKERS["light"],
        }
    },
}
Q_CLUSTER_NAME = os.environ.get("Q_CLUSTER_NAME", "cpu")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname:<7} {name}: {message}",
            "style": "{",
            "datefmt": "%H:%M:%S",
        }
    },
    # A 503 is an answer on purpose, such as that of /healthz before a worker is there.
    "filters": {"faults": {"()": "project.faults.OnlyFaults"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "tidemill": {"level": os.environ.get("TIDEMILL_LOG_LEVEL", "INFO")},
        "django.request": {"filters": ["faults"]},
        "django.server": {"level": "WARNING"},
        "django-q": {"level": "WARNING", "handlers": ["console"], "propagate": False},
    },
}
