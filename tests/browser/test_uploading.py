"""Files on their way: dropped, sent side by side, stopped, resumed, never lost by a click."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.files import MB, big_picture, drop, slow_line
from tests.browser.mill import Mill, Person
from uploads.models import Job, Upload
from uploads.states import JobState, UploadState
from uploads.storage import store

pytestmark = [pytest.mark.browser, pytest.mark.processes]

START = "[data-startbar] [data-start]"
FILES = "[data-input=files]"
PATIENCE_MS = 60_000


@pytest.fixture
def big(tmp_path: Path) -> Path:
    return big_picture(tmp_path, name="big.tiff")


def _arrived(mill: Mill, person: Person) -> list[Upload]:
    rows = Upload.objects.filter(owner_id=person.pk, state=UploadState.COMPLETE)
    return mill.rows(lambda: list(rows.order_by("name")))


def _sending(page: Page) -> None:
    """Wait until bytes of the first file move."""
    note = page.locator(".file").first.locator("[data-note]")
    expect(note).to_have_text(re.compile(r"^([2-9]|\d\d) % of"), timeout=PATIENCE_MS)


def test_a_dropped_folder_is_walked_and_sent_with_its_paths(
    open_page: OpenPage, mill: Mill, person: Person, photos: list[Path]
):
    page = open_page()
    drop(page, photos[0].parent)
    expect(page.locator(".file .here")).to_have_count(3)

    uploads = _arrived(mill, person)

    assert [upload.name for upload in uploads] == ["IMG_0.jpg", "IMG_1.jpg", "IMG_2.jpg"]
    assert {upload.relative_path for upload in uploads} == {f"trip/IMG_{n}.jpg" for n in range(3)}
    for upload, path in zip(uploads, photos, strict=True):
        assert mill.rows(lambda upload=upload: store.path(upload.storage_key)).read_bytes() == (
            path.read_bytes()
        )


def test_only_fitting_operations_are_offered(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    page.set_input_files(FILES, photos)
    pictures = page.locator(".operation", has=page.locator("[value='image.convert']"))
    videos = page.locator(".operation", has=page.locator("[value='video.transcode']"))

    expect(pictures).to_contain_text("3 photos")
    expect(pictures.locator("input")).to_be_checked()
    expect(videos).to_be_hidden()
    page.get_by_role("button", name="for other files").click()
    expect(videos).to_be_visible()
    expect(videos.locator("input")).to_be_disabled()
    expect(videos).to_contain_text("takes videos")
    expect(page.locator("[data-panel='image.convert']")).to_be_visible()
    expect(page.locator("[data-panel='video.transcode']")).to_be_hidden()


def test_a_preset_fills_the_options_and_an_option_leaves_the_preset(
    open_page: OpenPage, photos: list[Path]
):
    page = open_page()
    page.set_input_files(FILES, photos)
    panel = page.locator("[data-panel='image.convert']")
    panel.locator("summary").click()

    panel.locator("[value=webp][name$=preset]").check()
    expect(panel.locator("[name$='-format']")).to_have_value("webp")
    panel.locator("[name$='-sizes']").fill("640")

    expect(panel.locator("[value=own][name$=preset]")).to_be_checked()


def test_start_before_the_files_are_here_and_go_elsewhere_while_they_are_sent(
    open_page: OpenPage, mill: Mill, person: Person, big: Path, photos: list[Path]
):
    page = open_page()
    slow_line(page, 2 * MB)
    page.set_input_files(FILES, [big, *photos])
    page.evaluate("window.untouched = true")
    _sending(page)

    page.locator(START).click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))

    job = mill.rows(_job_of, person)
    assert job.state == JobState.RECEIVING
    assert job.items_total == 4
    expect(page.locator(".dock")).to_contain_text(re.compile(r"Uploading 1.file · \d+ %"))
    page.get_by_role("link", name="Jobs", exact=False).first.click()
    page.wait_for_url("**/jobs/")
    page.get_by_role("link", name="Uploads").click()
    page.wait_for_url("**/uploads/")
    page.go_back()
    page.wait_for_url("**/jobs/")
    slow_line(page, -1)
    expect(page.locator(".dock")).to_contain_text("All files have arrived", timeout=PATIENCE_MS)
    assert page.evaluate("window.untouched") is True
    expect(page.locator(".pill.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    assert mill.rows(_job_of, person).items_done == 4


def _job_of(person: Person) -> Job:
    return Job.objects.get(owner_id=person.pk)


def test_after_a_reload_the_upload_goes_on_where_it_stopped(
    open_page: OpenPage, mill: Mill, person: Person, big: Path
):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()

    row = page.locator(".file.ghost")
    expect(row).to_contain_text("big.tiff")
    expect(row).to_contain_text(re.compile(r"\d+ % of"))
    slow_line(page, -1)
    offsets = []
    page.on("request", lambda r: offsets.append(r.headers.get("upload-offset")))
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose").click()
    chooser.value.set_files(big)

    expect(page.locator(".file .here")).to_have_count(1, timeout=PATIENCE_MS)
    starts = [int(offset) for offset in offsets if offset]
    assert starts
    assert min(starts) > 0
    (upload,) = _arrived(mill, person)
    assert mill.rows(lambda: store.path(upload.storage_key)).read_bytes() == big.read_bytes()


def test_another_file_does_not_go_on_in_its_place(
    open_page: OpenPage, big: Path, photos: list[Path]
):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    row = page.locator(".file.ghost")
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose").click()
    chooser.value.set_files(photos[0])
    expect(row).to_contain_text("“IMG_0.jpg” is another file")


def test_a_job_started_early_gets_the_rest_after_the_tab_was_closed(
    open_page: OpenPage, mill: Mill, person: Person, big: Path
):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    page.locator(START).click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    page.close()

    later = open_page("/uploads/")
    row = later.locator(".file.ghost")
    expect(row).to_contain_text("big.tiff")
    with later.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose").click()
    chooser.value.set_files(big)

    expect(later.locator(".file .here")).to_have_count(1, timeout=PATIENCE_MS)
    later.goto("/jobs/")
    expect(later.locator(".pill.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    assert mill.rows(_job_of, person).items_done == 1


def test_pause_stops_the_bytes_and_resume_goes_on(open_page: OpenPage, big: Path):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    page.get_by_role("button", name="Pause big.tiff").click()
    note = page.locator(".file [data-note]")
    expect(note).to_contain_text("Paused at")
    slow_line(page, -1)
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator(".file .here")).to_have_count(1, timeout=PATIENCE_MS)


def test_a_killed_web_server_is_waited_for(open_page: OpenPage, mill: Mill, big: Path):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    mill.server.kill(mill.server.role("web"))
    expect(page.locator(".file [data-note]")).to_contain_text(
        "connection lost", timeout=PATIENCE_MS
    )
    slow_line(page, -1)
    expect(page.locator(".file .here")).to_have_count(1, timeout=PATIENCE_MS)


def test_a_proxy_with_a_body_limit_gets_smaller_pieces(open_page: OpenPage, big: Path):
    page = open_page()
    passed: list[int] = []
    refused: list[int] = []

    def proxy(route, request):  # type: ignore[no-untyped-def]
        if request.method == "PATCH" and len(refused) < 3:
            refused.append(1)
            route.fulfill(status=413, content_type="text/html", body="<h1>413</h1>")
            return
        if request.method == "PATCH":
            passed.append(1)
        route.continue_()

    page.route("**/files/**", proxy)
    page.set_input_files(FILES, big)
    expect(page.locator(".file .here")).to_have_count(1, timeout=PATIENCE_MS)
    # 64 MiB halved three times is 8 MiB: the 24 MiB need three pieces or more.
    assert len(passed) >= 3


def test_removing_a_file_removes_it_on_the_server(
    open_page: OpenPage, mill: Mill, person: Person, photos: list[Path]
):
    page = open_page()
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(3)
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Remove IMG_1.jpg").click()
        expect(page.locator(".file")).to_have_count(2)
    page.reload()
    expect(page.locator(".file")).to_have_count(2)
    assert [upload.name for upload in _arrived(mill, person)] == ["IMG_0.jpg", "IMG_2.jpg"]


def test_a_second_tab_knows_that_the_first_one_sends(open_page: OpenPage, big: Path):
    page = open_page()
    slow_line(page, MB)
    page.set_input_files(FILES, big)
    _sending(page)
    second = page.context.new_page()
    second.goto("/")
    expect(second.locator(".file")).to_contain_text("Another tab")


def test_a_refused_file_says_why_at_its_row(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    page.route(
        "**/files/",
        lambda route: route.fulfill(
            status=413,
            json={
                "code": "over_quota",
                "message": "“IMG_0.jpg” does not fit.",
                "detail": "Delete.",
            },
        ),
    )
    page.set_input_files(FILES, photos[0])
    expect(page.locator(".file.failed")).to_contain_text("“IMG_0.jpg” does not fit. Delete.")
    expect(page.locator(START)).to_be_hidden()
