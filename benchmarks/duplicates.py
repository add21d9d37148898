"""How well `image.duplicates` finds copies, and how fast: pictures of five kinds, each changed in eleven ways.

`python -m benchmarks duplicates --pictures 120` compares 120 × 12 files at once, by each idea of
likeness, and prints which changes were found and how many pictures were taken for others.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pyvips

from uploads.operations import Context, Source
from uploads.operations.duplicates import Duplicates
from uploads.operations.duplicates_find import Found, Spool, find
from uploads.operations.samples import Scene, painted

WORDS = "the river mill wheel turns slowly while grain falls into stone and flour dusts each beam of light"
SHAPES = ((1200, 800), (800, 1200), (1000, 1000), (1280, 720))


def landscape(dice: Random, seed: int, width: int, height: int) -> Any:
    """Paint ridges below a sky: many of them have the same outline."""
    top, horizon, sun, far, near = (
        (dice.randint(10, 250), dice.randint(10, 250), dice.randint(10, 250)) for _ in range(5)
    )
    at = (dice.random(), dice.random() * 0.6)
    looks = (dice.randint(3, 6), dice.uniform(0.08, 0.26))
    return painted(Scene("", seed, top, horizon, sun, at, far, near, *looks), width, height)


def clouds(dice: Random, seed: int, width: int, height: int) -> Any:
    cell = dice.choice([128, 256, 512])
    bands = [
        pyvips.Image.perlin(width, height, cell_size=cell, seed=seed * 3 + n) for n in range(3)
    ]
    return bands[0].bandjoin(bands[1:]) * 120 + 128


def shapes(dice: Random, seed: int, width: int, height: int) -> Any:
    image = pyvips.Image.black(width, height, bands=3) + [dice.randint(0, 255) for _ in range(3)]
    image = image.cast("uchar").copy_memory()
    for _ in range(dice.randint(4, 14)):
        colour = [dice.randint(0, 255) for _ in range(3)]
        left, top, size = dice.randrange(width), dice.randrange(height), dice.randint(40, 240)
        image = (
            image.draw_circle(colour, left, top, size // 2, fill=True)
            if dice.random() < 0.5
            else image.draw_rect(colour, left, top, size, size // 2, fill=True)
        )
    return image


def page(dice: Random, seed: int, width: int, height: int) -> Any:
    """Set a page of words: all have one layout, and only their words differ."""
    words = " ".join(dice.choice(WORDS.split()) for _ in range(160))
    text = pyvips.Image.text(words, width=int(width * 0.8), font="sans 24", dpi=72).invert()
    sheet = text.embed(
        width // 10, height // 12, width, height, extend="background", background=255
    )
    return sheet.bandjoin([sheet, sheet])


def glow(dice: Random, seed: int, width: int, height: int) -> Any:
    """Shade softly from corner to corner with a spot of light: hardly anything to go by."""
    place = pyvips.Image.xyz(width, height)
    shade = (place[0] / width * dice.uniform(-1, 1) + place[1] / height * dice.uniform(-1, 1)) * 60
    across, down = place[0] - dice.random() * width, place[1] - dice.random() * height
    spot = ((across**2 + down**2) * (-1 / (dice.uniform(0.1, 0.4) * width) ** 2)).exp()
    grey = shade + spot * dice.choice([-90, 90]) + 128
    return grey.bandjoin([grey * dice.uniform(0.6, 1), grey * dice.uniform(0.6, 1)])


KINDS = (landscape, landscape, clouds, shapes, page, glow)


def cropped(image: Any, dice: Random, least: float, most: float) -> Any:
    """Cut each edge off by a share of its own between these."""
    left, top, right, bottom = (dice.uniform(least, most) for _ in range(4))
    x, y = int(image.width * left), int(image.height * top)
    return image.crop(
        x, y, int(image.width * (1 - right)) - x, int(image.height * (1 - bottom)) - y
    )


Change = tuple[str, dict[str, Any], Callable[[Any, Random], Any]]
CHANGES: dict[str, Change] = {
    "JPEG, quality 85": (".jpg", {"Q": 85}, lambda image, dice: image),
    "JPEG, quality 30": (".jpg", {"Q": 30}, lambda image, dice: image),
    "WebP, quality 60": (".webp", {"Q": 60}, lambda image, dice: image),
    "half the size": (".png", {}, lambda image, dice: image.resize(0.5)),
    "a fifth of the size": (".jpg", {"Q": 75}, lambda image, dice: image.resize(0.2)),
    "a fifth lighter": (".jpg", {"Q": 80}, lambda image, dice: image * 1.2 + 8),
    "a quarter darker": (".jpg", {"Q": 80}, lambda image, dice: image * 0.75),
    "each edge cropped by 0-2 %": (".jpg", {"Q": 80}, lambda image, dice: cropped(image, dice, 0, 0.02)),
    "each edge cropped by 1-4 %": (".jpg", {"Q": 80}, lambda image, dice: cropped(image, dice, 0.01, 0.04)),
    "each edge cropped by 2-6 %": (".jpg", {"Q": 80}, lambda image, dice: cropped(image, dice, 0.02, 0.06)),
    "a stamp on a corner": (".jpg", {"Q": 80}, lambda image, dice: image.cast("uchar").copy_memory().draw_rect([255] * 3, image.width * 3 // 4, image.height * 7 // 8, image.width // 5, image.height // 12, fill=True)),
}  # fmt: skip


def made_set(folder: Path, count: int) -> list[Path]:
    """Write so many pictures with all their changes; what is there already stays."""
    files = []
    for number in range(count):
        dice = Random(number)
        size = dice.choice(SHAPES)
        image = None
        for place, (suffix, how, change) in enumerate(
            [(".jpg", {"Q": 92}, _as_is), *CHANGES.values()]
        ):
            path = folder / f"{number:05}-{place:02}{suffix}"
            files.append(path)
            if not path.exists():
                if image is None:
                    image = _plain(KINDS[number % len(KINDS)](dice, number + 1, *size))
                _plain(change(image, dice)).write_to_file(str(path), **how)
    return files


def _as_is(image: Any, dice: Random) -> Any:
    return image


def _plain(image: Any) -> Any:
    return image.cast("uchar").copy(interpretation="srgb").copy_memory()


def compared(files: list[Path], likeness: Any) -> tuple[Found, float]:
    """Return the groups and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        options = Duplicates(likeness=likeness)
        sources = [Source(path.name, "image/jpeg") for path in files]
        step = Context(options, Path(folder), sources=sources)
        started = time.monotonic()
        with closing(Spool(step.path("small-copies"))) as spool:
            return find(files, step, spool), time.monotonic() - started


def judged(found: Found, count: int) -> tuple[dict[str, int], int]:
    """Return how many of each change were found, and how many pictures lie with those of others."""
    right = dict.fromkeys(CHANGES, 0)
    wrong = 0
    for group in found.groups:
        names = [picture.file.name.partition("-") for picture in group]
        own = max({name[0] for name in names}, key=[name[0] for name in names].count)
        wrong += sum(name[0] != own for name in names)
        changed = {int(name[2][:2]) for name in names if name[0] == own}
        if 0 in changed:
            for place in changed - {0}:
                right[list(CHANGES)[place - 1]] += 1
    return right, wrong


def main() -> None:
    """Print a table of what was found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--pictures", type=int, default=120)
    asked.add_argument("--folder", type=Path, help="where the pictures are kept for the next time")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = given.folder or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        files = made_set(folder, given.pictures)
        for likeness in ("near", "similar"):
            found, seconds = compared(files, likeness)
            right, wrong = judged(found, given.pictures)
            print(
                f"\n{likeness}: {len(files):,} pictures in {seconds:.1f} s, {wrong} taken for others"
            )
            for change, count in right.items():
                print(f"  {change:28} {count / given.pictures:6.1%}")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nAt most {most:.0f} MiB of memory.")


if __name__ == "__main__":
    main()
