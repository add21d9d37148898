"""Chains: what one operation makes goes on to the next, in one job, each file once."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from PIL import Image

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.models import Item, Job, Upload
from uploads.names import PATH_MAX_CHARACTERS
from uploads.states import ItemState, JobState
from uploads.storage import store
from uploads.work.commit import commit_work
from uploads.work.retry import retry_with
from uploads.work.run import run_next
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db

TextUpload = Callable[..., Upload]
Link = str | tuple[str, dict[str, Any]]


@pytest.fixture
def chain(alice: User, text_upload: TextUpload) -> Callable[..., Job]:
    """Submit a chain over files with these texts."""

    def make(texts: list[str], *links: Link, **values: Any) -> Job:
        uploads = [text_upload(text, f"file-{n}.txt") for n, text in enumerate(texts)]
        named = [(link, {}) if isinstance(link, str) else link for link in links]
        stages = [StageRequest(name, options) for name, options in named]
        return submit(alice, JobRequest(stages, [u.key for u in uploads], **values))

    return make


def contents(job: Job, role: str = "result") -> dict[str, str]:
    rows = job.results.filter(role=role).order_by("item__position", "position")
    return {
        row.name: store.path(row.storage_key).read_bytes().decode(errors="replace") for row in rows
    }


def ended(job: Job) -> Job:
    work_off()
    job.refresh_from_db()
    assert job.settled_at is not None
    # However it ended, nothing was ahead of it any more.
    assert job.cancel_requested_at or job.weight_done == pytest.approx(job.weight_total)
    return job


SHOUT: Link = ("test.copy", {"shout": True})


def test_each_file_goes_through_all_operations(chain: Callable[..., Job]) -> None:
    job = ended(chain(["one", "two"], "test.copy", SHOUT))
    assert job.state == JobState.SUCCEEDED
    assert contents(job) == {"file-0.txt": "ONE", "file-1.txt": "TWO"}
    assert (job.items_total, job.items_done) == (4, 4)
    assert contents(job, "between") == {"file-0.txt": "one", "file-1.txt": "two"}


def test_all_files_that_come_out_of_one_go_on(chain: Callable[..., Job]) -> None:
    job = ended(chain(["a\nb\nc"], "test.split", SHOUT))
    assert list(contents(job).values()) == ["A", "B", "C"]
    assert job.items_total == 4


def test_the_longest_of_paths_is_long_enough(chain: Callable[..., Job]) -> None:
    job = chain(["a\nb"], "test.split", SHOUT)
    folder = "/".join(["long folder"] * 90)[: PATH_MAX_CHARACTERS - len("/file-0.txt")]
    for rows in (Upload.objects, Item.objects):
        rows.update(relative_path=f"{folder}/file-0.txt")
    assert ended(job).state == JobState.SUCCEEDED
    assert list(contents(job).values()) == ["A", "B"]


def test_what_takes_all_gets_everything_in_the_order_of_the_files(
    chain: Callable[..., Job],
) -> None:
    job = ended(chain(["a\nb", "c", "d\ne\nf"], "test.split", SHOUT, "test.all"))
    assert contents(job) == {"all.txt": "ABCDEF"}
    assert job.state == JobState.SUCCEEDED


def test_a_chain_goes_on_behind_what_takes_all(chain: Callable[..., Job]) -> None:
    job = ended(chain(["a\n", "b\n"], "test.all", "test.split", SHOUT))
    assert list(contents(job).values()) == ["A", "B"]


def test_files_are_divided_anew_in_every_operation(chain: Callable[..., Job]) -> None:
    job = ended(chain(["a\nb", "c\nd"], "test.lines", "test.lines"))
    assert list(contents(job).values()) == ["A\nB\n", "C\nD\n"]


def test_a_failed_file_stops_alone(chain: Callable[..., Job]) -> None:
    job = ended(chain(["one", "bad", "three"], "test.copy", SHOUT, "test.all"))
    assert job.state == JobState.PARTIAL
    assert contents(job) == {"all.txt": "ONETHREE"}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("bad plan", "test.lines"),
        ("a\nbad\nc\nd\ne", "test.lines"),
        ("flaky", "test.copy"),
        ("flaky\nb\nc", "test.lines"),
    ],
)
def test_what_a_failed_file_would_have_cost_is_not_ahead(
    chain: Callable[..., Job], settings: Any, text: str, first: str
) -> None:
    settings.TIDEMILL_STEP_ATTEMPTS = 1
    job = ended(chain([text, "a\nb"], first, SHOUT, SHOUT))
    assert (job.state, job.items_failed) == (JobState.PARTIAL, 1)


def test_where_nothing_came_the_last_operation_says_so(chain: Callable[..., Job]) -> None:
    job = ended(chain(["bad"], "test.copy", "test.all"))
    assert job.state == JobState.FAILED
    last = job.items.get(stage__position=1)
    assert last.error_text.endswith("nothing came out of the operation before it.")


def test_what_the_next_operation_can_not_take_is_kept(chain: Callable[..., Job]) -> None:
    job = ended(chain(["a\npicture\nb"], "test.split", SHOUT))
    assert job.state == JobState.SUCCEEDED
    assert sorted(contents(job)) == ["file-0-1.txt", "file-0-2.png", "file-0-3.txt"]
    told = [event.text for event in job.events.filter(kind="warning")]
    assert told == ["“Copy” does not take file-0-2.png: kept as made before it."]


def test_what_nothing_fits_fails_in_words(chain: Callable[..., Job]) -> None:
    job = ended(chain(["picture"], "test.split", SHOUT))
    assert job.state == JobState.PARTIAL
    (failed,) = job.items.filter(state=ItemState.FAILED)
    assert (failed.error_code, failed.name) == ("unfit_kind", "file-0-1.png")


def test_the_pattern_of_names_is_for_what_comes_out_at_the_end(
    chain: Callable[..., Job],
) -> None:
    job = ended(chain(["one", "two"], "test.copy", "test.copy", names="{n:3}-{name}"))
    assert sorted(contents(job)) == ["001-file-0.txt", "002-file-1.txt"]


@pytest.mark.django_db(transaction=True)
def test_a_failed_link_is_done_again_and_what_follows(
    chain: Callable[..., Job], alice: User
) -> None:
    job = ended(chain(["one", "bad"], "test.copy", SHOUT, "test.all"))
    upload = job.inputs.get(position=1).upload
    store.path(upload.storage_key).write_text("two")
    assert job.retry("alice") == 1
    assert contents(job) == {}, "what was made of too little is gone"
    assert ended(job).state == JobState.SUCCEEDED
    assert contents(job) == {"all.txt": "ONETWO"}
    assert (job.items_total, job.items_done, job.items_failed) == (5, 5, 0)
    assert stored(job) == job.results.count()


@pytest.mark.parametrize("stage", [None, 2])
def test_what_failed_before_and_behind_one_that_takes_all_is_done_again(
    chain: Callable[..., Job], stage: int | None
) -> None:
    job = ended(chain(["one", "bad"], "test.copy", "test.all", ("test.fails", {"fail": True})))
    assert (job.items_done, job.items_failed) == (2, 2)
    store.path(job.inputs.get(position=1).upload.storage_key).write_text("two")
    if stage is None:
        job.retry("alice")
    else:
        retry_with(job, "alice", options={"fail": False}, stage=stage)
    job = ended(job)
    states = job.items.order_by("stage__position", "position").values_list("state", flat=True)
    last = ItemState.FAILED if stage is None else ItemState.SUCCEEDED
    assert list(states) == [*[ItemState.SUCCEEDED] * 3, last]
    assert (job.items_total, job.items_done, job.items_failed) == (
        4,
        3 + (stage == 2),
        stage is None,
    )
    assert contents(job) == ({} if stage is None else {"all.txt": "onetwo"})


def test_a_failed_link_may_have_other_options(chain: Callable[..., Job]) -> None:
    job = ended(chain(["a\nb"], "test.copy", ("test.fails", {"fail": True})))
    assert job.state == JobState.PARTIAL
    retry_with(job, "alice", options={"fail": False})
    assert ended(job).state == JobState.SUCCEEDED
    assert contents(job) == {"file-0.txt": "a\nb"}
    assert job.items.filter(stage__position=0).get().finished_at < job.finished_at


def test_cancel_ends_all_of_a_chain(chain: Callable[..., Job]) -> None:
    job = chain(["one", "two"], "test.copy", SHOUT, "test.all")
    run_next("light")
    run_next("cpu")
    job.refresh_from_db()
    job.cancel("alice")
    assert ended(job).state == JobState.CANCELLED
    assert not job.items.open().exists()
    assert job.retry("alice") == job.items_total - job.items_done
    assert contents(ended(job)) == {"all.txt": "ONETWO"}


@pytest.mark.parametrize("texts", [["one"], ["one", "two"]])
def test_what_was_done_when_a_chain_was_cancelled_goes_on_with_a_retry(
    chain: Callable[..., Job], texts: list[str]
) -> None:
    job = chain(texts, "test.copy", SHOUT)
    run_next("light")

    def cancel_before(*made: Any) -> None:
        Job.objects.get(pk=job.pk).cancel("alice")
        commit_work(*made)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("uploads.work.perform.commit_work", cancel_before)
        assert run_next("cpu")
    assert ended(job).state == JobState.CANCELLED
    assert (job.items_done, contents(job)) == (1, {})
    job.retry("alice")
    assert ended(job).state == JobState.SUCCEEDED
    assert list(contents(job).values()) == [text.upper() for text in texts]


@pytest.mark.parametrize("first", ["test.copy", "test.split"])
def test_progress_counts_what_is_to_come(chain: Callable[..., Job], first: str) -> None:
    job = chain(["a\nb\nc", "d", "e\nf"], first, SHOUT, "test.all", "test.copy")
    seen = [0.0]
    while run_next("light") or run_next("cpu"):
        job.refresh_from_db()
        seen.append(job.weight_done / job.weight_total)
    assert seen == sorted(seen) or first == "test.split", "only more files than sent set it back"
    assert seen[-1] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("count", [0, 9])
def test_a_chain_has_bounds(chain: Callable[..., Job], count: int) -> None:
    with pytest.raises(RequestError, match="one to 8 operations"):
        chain(["one"], *["test.copy"] * count)


def stored(job: Job) -> int:
    """Return how many files of a job are in the store."""
    folder = store.path(f"store/{job.key[:2]}/{job.key}")
    return sum(path.is_file() for path in folder.rglob("*"))


def test_pictures_of_an_archive_come_back_small_in_an_archive(alice: User, tmp_path: Path) -> None:
    pictures = tmp_path / "trip.zip"
    with ZipFile(pictures, "w") as made:
        for name in ("beach/a.png", "beach/b.png", "c.png"):
            raw = BytesIO()
            Image.new("RGB", (64, 48), "teal").save(raw, "PNG")
            made.writestr(name, raw.getvalue())
        made.writestr("beach/notes.txt", "sunny")
    upload = make_upload(alice, pictures, media_type="application/zip")
    links = [
        StageRequest("archive.unpack"),
        StageRequest("image.convert", {"format": "webp", "width": 32, "sizes": []}),
        StageRequest("archive.pack"),
    ]
    job = ended(submit(alice, JobRequest(links, [upload.key])))
    assert job.state == JobState.SUCCEEDED, [item.error_text for item in job.items.all()]
    packed = job.results.get(role="result", media_type="application/zip")
    with ZipFile(store.path(packed.storage_key)) as small:
        names = small.namelist()
        assert sorted(name.split("/", 1)[1] for name in names) == [
            "beach/a.webp",
            "beach/b.webp",
            "c.webp",
        ]
    assert job.results.get(role="result", name="notes.txt").relative_path == "trip/beach/notes.txt"


def test_tables_go_on_by_what_they_are(
    chain: Callable[..., Job], alice: User, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    upload = make_upload(alice, path, media_type="text/csv")
    links = [
        StageRequest("data.convert", {"format": "parquet"}),
        StageRequest("data.query", {"sql": "SELECT sum(a * b) AS s FROM data"}),
    ]
    job = ended(submit(alice, JobRequest(links, [upload.key])))
    assert "14" in contents(job)["numbers-answer.csv"]
