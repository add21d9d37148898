"""Django system checks of our own: settings that contradict each other; it looks at no machine.

What depends on the machine (versions, folders, sandbox) is `manage.py doctor`'s.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

from uploads.conf import SETTINGS, conf

AT_LEAST_ONE = (
    "JOB_MAX_FILES",
    "OWNER_MAX_JOBS",
    "STEP_ATTEMPTS",
    "STEP_CRASHES",
    "UPLOAD_WRITERS",
)


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """Return what is wrong with the `TIDEMILL_*` settings."""
    return [*_numbers(), *_times(), *_words()]


def _numbers() -> Iterator[CheckMessage]:
    for setting in SETTINGS:
        value = getattr(conf, setting.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield Error(f"TIDEMILL_{setting.name} is below zero.", id="tidemill.E001")
    for name in AT_LEAST_ONE:
        if getattr(conf, name) == 0:
            yield Error(f"TIDEMILL_{name} must be at least 1.", id="tidemill.E002")


def _times() -> Iterator[CheckMessage]:
    if conf.RENEW_SECONDS * 2 > conf.LEASE_SECONDS:
        yield Error(
            "TIDEMILL_LEASE_SECONDS must be at least twice TIDEMILL_RENEW_SECONDS, "
            "or a lease runs out between two renewals.",
            id="tidemill.E003",
        )
    if conf.STEP_MIN_LIMIT_SECONDS > conf.STEP_MAX_SECONDS:
        yield Error(
            "TIDEMILL_STEP_MIN_LIMIT_SECONDS is above TIDEMILL_STEP_MAX_SECONDS.",
            id="tidemill.E004",
        )


def _words() -> Iterator[CheckMessage]:
    if conf.SANDBOX not in {"auto", "require"}:
        yield Error("TIDEMILL_SANDBOX is `auto` or `require`.", id="tidemill.E005")
    if conf.PUBLIC_URL and not conf.PUBLIC_URL.startswith(("http://", "https://")):
        yield Error("TIDEMILL_PUBLIC_URL must start with http:// or https://.", id="tidemill.E006")
    if conf.EMAIL_URL and not conf.PUBLIC_URL:
        yield Caution(
            "E-mails will name the address that the server listens on; set TIDEMILL_PUBLIC_URL.",
            id="tidemill.W001",
        )
