"""`/metrics`: sums for Prometheus, in its text format (version 0.0.4); staff only.

Loopback gets no exception: behind a proxy on the same machine everybody comes
from there. A scraper sends a staff member's API token as `bearer_token`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models import Upload
from uploads.models.pulse import job_counts, lanes
from uploads.states import UploadState
from uploads.storage import store

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gauge:
    """One measure, its unit in the name, with one value for each set of labels."""

    name: str
    help: str
    values: Mapping[Labels, float]


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer every measure; a handful of queries, none of which grows with the number of jobs' items."""
    if not request.user.is_authenticated:
        raise RequestError("not_signed_in")
    if not request.user.is_staff:
        raise RequestError("not_found")
    return _answer(request)


@require_safe
def _answer(request: HttpRequest) -> HttpResponse:
    text = "".join(line for gauge in gauges() for line in _lines(gauge))
    return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def gauges() -> list[Gauge]:
    """Return what is measured; docs/reference/api.md names each."""
    found = lanes()

    def by_lane(name: str, help: str, attribute: str) -> Gauge:
        values: dict[Labels, float] = {
            (("lane", lane.lane),): float(getattr(lane, attribute)) for lane in found
        }
        return Gauge(name, help, values)

    jobs: dict[Labels, float] = {
        (("state", state),): float(count) for state, count in job_counts().items()
    }
    receiving = Upload.objects.filter(state=UploadState.RECEIVING).count()
    return [
        Gauge("tidemill_jobs", "Jobs by state.", jobs),
        by_lane("tidemill_steps_ready", "Steps that wait for a worker.", "ready"),
        by_lane("tidemill_steps_running", "Steps that a worker runs.", "running"),
        by_lane(
            "tidemill_step_wait_seconds",
            "How long the oldest due step has waited.",
            "waited_seconds",
        ),
        by_lane("tidemill_workers", "Live workers.", "workers"),
        by_lane("tidemill_worker_rss_bytes", "Memory of the live workers.", "rss_bytes"),
        Gauge("tidemill_uploads_receiving", "Uploads on their way in.", {(): float(receiving)}),
        Gauge(
            "tidemill_disk_free_bytes",
            "Free space of the data folder.",
            {(): float(store.free_bytes())},
        ),
    ]


def _lines(gauge: Gauge) -> Iterator[str]:
    yield f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} gauge\n"
    for labels, value in gauge.values.items():
        shown = ",".join(f'{name}="{text}"' for name, text in labels)
        yield f"{gauge.name}{{{shown}}} {value:g}\n" if shown else f"{gauge.name} {value:g}\n"
