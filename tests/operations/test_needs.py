"""What operations say they need: two 2160p encodes never share a 4 GB worker, pictures do."""

import pytest

from uploads.operations.probe import Picture
from uploads.operations.registry import find
from uploads.operations.video_plan import memory_bytes
from uploads.work import memory

GIB = 1024**3
TWELVE_MEGAPIXELS = 2_700_000


def encode(width: int, height: int) -> int:
    picture = Picture.__new__(Picture)
    object.__setattr__(picture, "coded_width", width)
    object.__setattr__(picture, "coded_height", height)
    return memory_bytes(picture, {"width": width, "height": height})


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(memory, "total_bytes", lambda: 4 * GIB)
    return memory.memory_bytes()


def test_two_large_encodes_exceed_a_worker_of_four_gigabytes(budget: int) -> None:
    assert encode(3840, 2160) <= budget < 2 * encode(3840, 2160)


def test_a_thumbnail_fits_beside_a_large_encode_and_ordinary_encodes_share(budget: int) -> None:
    thumbnail = find("image.convert").needs_memory(TWELVE_MEGAPIXELS)
    assert encode(3840, 2160) + 2 * thumbnail <= budget
    assert 4 * encode(1920, 1080) <= budget


def test_a_small_machine_gives_half_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: GIB)
    assert memory.memory_bytes() == GIB // 2


def test_a_set_budget_is_taken_as_it_is(settings: object) -> None:
    settings.TIDEMILL_WORK_MEMORY_BYTES = 123  # type: ignore[attr-defined]
    assert memory.memory_bytes() == 123
