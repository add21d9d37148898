"""Write docs/reference from the code itself: settings, errors, API; a test compares the two."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from uploads.catalogue import CATALOGUE, Entry  # noqa: E402
from uploads.conf import SETTINGS  # noqa: E402
from uploads.pages.api.openapi import document  # noqa: E402
from uploads.pages.api.schemas import SCHEMAS  # noqa: E402
from uploads.pages.api.urls import DOORS  # noqa: E402

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"

UNITS: Final = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))
SPANS: Final = (("days", 86400), ("hours", 3600), ("minutes", 60))
NOTE: Final = (
    "<!-- Written by `python -m scripts.reference`; a test compares it with the code. -->\n"
)

# Variables that are not Tidemill's own but matter here; `project/settings.py` reads them.
OTHERS: Final[dict[str, str]] = {
    "DATABASE_URL": "`postgresql://user:password@host/name`; left out: SQLite in the data folder.",
    "DJANGO_SECRET_KEY": "Signs sessions and cursors; left out: made once and kept in the data folder.",
    "DJANGO_ALLOWED_HOSTS": "More host names, with commas between them; that of the public address is known.",
    "DJANGO_DEBUG": "`1` shows errors in the browser; never on a machine that others reach.",
    "DJANGO_SUPERUSER_USERNAME": "With `_EMAIL` and `_PASSWORD`, for `createsuperuser --noinput`.",
    "TIDEMILL_SSL_REDIRECT": "`0` leaves the redirect to https to the proxy.",
    "TIDEMILL_LOG_LEVEL": "`DEBUG`, `INFO` (default), `WARNING` or `ERROR`.",
    "TZ": "Time zone of dates on pages; left out: UTC.",
}

METRICS: Final[dict[str, str]] = {
    "tidemill_jobs": "jobs by `state`",
    "tidemill_steps_ready": "steps that wait for a worker, by `lane`",
    "tidemill_steps_running": "steps that a worker runs, by `lane`",
    "tidemill_step_wait_seconds": "how long the oldest due step has waited, by `lane`",
    "tidemill_workers": "live workers, by `lane`",
    "tidemill_worker_rss_bytes": "memory of the live workers, by `lane`",
    "tidemill_uploads_receiving": "uploads on their way in",
    "tidemill_disk_free_bytes": "free space of the data folder",
}


def settings_page() -> str:
    """Return settings.md: every variable with its default, unit and help."""
    rows = [
        f"| `TIDEMILL_{setting.name}` | {_default(setting.name, setting.default, setting.unit)} "
        f"| {setting.unit} | {setting.help} |"
        for setting in SETTINGS
    ]
    others = [f"| `{name}` | {words} |" for name, words in OTHERS.items()]
    return "\n".join(
        [
            "# Settings",
            "",
            NOTE,
            "Everything is set by environment variables, read once at start. Sizes may be written",
            "as `500M` or `2G` (powers of 1024). `manage.py doctor` names what is off or unsafe.",
            "",
            "| Variable | Default | Unit | What it does |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Others",
            "",
            "| Variable | What it does |",
            "|---|---|",
            *others,
            "",
        ]
    )


def _default(name: str, value: Any, unit: str) -> str:
    if name == "WORKERS":
        return "number of processors"
    if value == "":
        return "empty"
    if isinstance(value, bool):
        return "1" if value else "0"
    if unit == "bytes":
        return _size(value)
    for word, length in SPANS:
        if unit == "seconds" and value > length and value % length == 0:
            return f"`{value:.0f}`, {value / length:.0f} {word}"
    return f"`{value}`"


def _size(value: int) -> str:
    if value == 0:
        return "`0`"
    word, unit = next((word, unit) for word, unit in UNITS if value % unit == 0)
    return f"`{value // unit}{word[0]}`"


def errors_page() -> str:
    """Return errors.md: every code with its status, sentence and fix."""
    rows = [_error(code, entry) for code, entry in CATALOGUE.items()]
    return "\n".join(
        [
            "# Errors",
            "",
            NOTE,
            "One catalogue serves pages, API, uploads and console. The API answers",
            "`{code, message, detail}`: the sentence and what can be done. Codes are stable;",
            "sentences may change. Names in braces are filled in.",
            "",
            "| Code | Status | Sentence | What to do |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _error(code: str, entry: Entry) -> str:
    return f"| `{code}` | {entry.status} | {entry.sentence} | {entry.fix} |"


INTRODUCTION: Final = """# API

{note}
For scripts, under `/api/v1/`. The OpenAPI 3.1 document is at `/api/v1/openapi.json`.

- **Who**: `Authorization: Bearer TOKEN`; make one under Settings or with
  `manage.py createtoken USER`. Signed-in pages may use their session and the CSRF token.
  What is not yours answers 404, to administrators too.
- **Files** go up by tus 1.0.0 at `/files/` with the same token; the last part of the upload's
  address is its id here. A job may be started before its files have arrived.
- **Bodies** are JSON objects up to `TIDEMILL_JSON_MAX_BYTES`. Unknown fields and query
  parameters are refused, so a typing error can't pass unnoticed.
- **Lists** are `{{results, next}}`, newest jobs and uploads first; `next` is the address of the
  following piece or null. It stays valid while rows come and go. `limit` is 1 to 200.
- **Errors** are `{{code, message, detail}}` with the codes of [errors.md](errors.md).
- **Retry** by API means all failed files of a job; a single one is retried on the job's page only.
- **Once**: `POST jobs/` with an `Idempotency-Key` (1 to 200 characters) answers the job that the
  first request with this key started, so it can be sent again after a broken connection.
- **Names**: `"names": "holiday-{{n:3}}"` names the results; see [the placeholders](../users.md).
- **A sample**: `"sample": true` tries some of the files. Once it has ended, `prediction` of `GET jobs/ID/`
  says what all of them take: files, bytes before and after, seconds from low to high or null.
- **Single files**: `"overrides": {{"UPLOAD": {{"quality": 60}}}}` gives a file options of its own.

```sh
token=$(.venv/bin/python manage.py createtoken alice)
curl -H "Authorization: Bearer $token" -H "Content-Type: application/json" \\
     -H "Idempotency-Key: holiday-2026" \\
     -d '{{"operation": "image.convert", "options": {{"sizes": [1600]}}, "uploads": ["UPLOAD"]}}' \\
     http://localhost:8000/api/v1/jobs/
```
"""

BESIDE: Final = """
## Beside the API

`/healthz` is open to everybody and answers 200, or 503 with `reasons`, when the database does
not answer or a lane has no live worker. `/metrics` is for Prometheus; it asks for the token of a
member of staff (`bearer_token` in the scraper's settings), and makes no exception for the
machine itself, for behind a proxy everybody comes from there.

| Measure | What it counts |
|---|---|
"""


def api_page() -> str:
    """Return api.md: the rules, every door with its methods and every measure."""
    described = document(DOORS)
    doors = [line for path, door in described["paths"].items() for line in _door(path, door)]
    shapes = [line for name in described["components"]["schemas"] for line in _shape(name)]
    measures = [f"| `{name}` | {words} |" for name, words in METRICS.items()]
    return "\n".join(
        [
            INTRODUCTION.format(note=NOTE),
            "| Method | Address | What it does |",
            "|---|---|---|",
            *doors,
            "",
            "## Shapes",
            "",
            *shapes,
            BESIDE.rstrip("\n"),
            *measures,
            "",
        ]
    )


def _door(path: str, door: dict[str, Any]) -> Iterator[str]:
    for method, described in door.items():
        if method == "parameters":
            continue
        names = [f"`{p['name']}`" for p in described.get("parameters", []) if p["in"] == "query"]
        more = f" ({', '.join(names)})" if names else ""
        yield f"| {method.upper()} | `{path}` | {described['summary']}{more} |"


def _shape(name: str) -> Iterator[str]:
    fields = ", ".join(f"`{field}`" for field in SCHEMAS[name]["properties"])
    yield f"- **{name}**: {fields}"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "api.md": api_page,
}


def write(folder: Path) -> None:
    """Write every page below the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
