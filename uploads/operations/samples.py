"""Makes sample files to try things with: a few landscapes, a short video, a tune, a table.

Run in a process of its own (`python -m uploads.operations.samples FOLDER`),
because it loads native libraries; takes about three seconds and no download.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyvips

from uploads.operations import ffmpeg
from uploads.operations.limits import Limits

Colour = tuple[int, int, int]

WIDTH, HEIGHT = 2000, 1332
VIDEO_SECONDS = 8
TUNE_SECONDS = 12
ORDERS = 5000
# Hertz, one after another each half second.
TUNE = (
    392,
    523.25,
    587.33,
    659.25,
    783.99,
    659.25,
    587.33,
    523.25,
    440,
    523.25,
    659.25,
    880,
    783.99,
    587.33,
    523.25,
)
PANORAMA_WIDTH = 2560


@dataclass(frozen=True)
class Scene:
    """One landscape: sky from top to horizon, a sun or moon, ridges from far to near."""

    name: str
    seed: int
    top: Colour
    horizon: Colour
    sun: Colour
    sun_at: tuple[float, float]
    far: Colour
    near: Colour
    ridges: int = 5
    rough: float = 0.16
    upright: bool = False


SCENES = (
    Scene("Dawn.jpg", 11, (34, 58, 112), (255, 190, 140), (255, 244, 214), (0.68, 0.46), (178, 132, 142), (24, 22, 44)),
    Scene("Fjord.jpg", 23, (96, 152, 196), (226, 238, 240), (255, 255, 250), (0.24, 0.22), (140, 176, 190), (14, 46, 58), 6, 0.24),
    Scene("Dunes.jpg", 37, (70, 120, 170), (250, 226, 178), (255, 250, 230), (0.8, 0.3), (236, 190, 128), (122, 66, 36), 4, 0.08),
    Scene("Forest.jpg", 41, (120, 150, 140), (232, 236, 214), (255, 255, 236), (0.42, 0.2), (156, 182, 160), (16, 42, 32), 6, 0.2, upright=True),
    Scene("Night.jpg", 59, (6, 10, 30), (52, 66, 116), (236, 238, 250), (0.3, 0.24), (44, 54, 96), (4, 6, 16), 5, 0.18),
)  # fmt: skip


def make_samples(folder: Path) -> list[Path]:
    """Write five photographs, a tune, a video and a table into a folder; returns their paths.

    One photograph is stored lying down with an EXIF turn, as phones do, and one
    holds a place (GPS), so that it can be seen that results lose it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = [_photograph(scene, folder) for scene in SCENES]
    return [*made, _tune(folder), _video(folder), _orders(folder)]


def _photograph(scene: Scene, folder: Path) -> Path:
    width, height = (HEIGHT, WIDTH) if scene.upright else (WIDTH, HEIGHT)
    image = paint(scene, width, height)
    if scene.upright:
        image = image.rot270()
    image = image.copy()
    text = pyvips.GValue.gstr_type
    image.set_type(pyvips.GValue.gint_type, "orientation", 6 if scene.upright else 1)
    image.set_type(text, "exif-ifd0-Model", "Tidemill sample")
    image.set_type(text, "exif-ifd3-GPSLatitudeRef", "N")
    image.set_type(text, "exif-ifd3-GPSLatitude", "54/1 10/1 0/1")
    path = folder / scene.name
    image.jpegsave(str(path), Q=92)
    return path


def paint(scene: Scene, width: int, height: int) -> Any:
    """Return a landscape in sRGB with the grain of a camera; painted at half the size, for speed."""
    image = painted(scene, width // 2, height // 2).cast("uchar").resize(2)
    grain = pyvips.Image.gaussnoise(image.width, image.height, sigma=3.2, mean=0, seed=scene.seed)
    return (image + grain).cast("uchar").copy(interpretation="srgb")


def painted(scene: Scene, width: int, height: int) -> Any:
    """Paint sky, sun and ridges: each a line of noise, paler the farther it is."""
    down = pyvips.Image.xyz(width, height)[1] / height
    image = _mixed(scene.top, scene.horizon, (down / 0.7) ** 1.4)
    image = _with_sun(image, scene, width, height)
    for ridge in range(scene.ridges):
        share = ridge / max(1, scene.ridges - 1)
        colour = tuple(
            far + (near - far) * share for far, near in zip(scene.far, scene.near, strict=True)
        )
        level = 0.5 + 0.42 * share
        top = _ridge_line(scene, ridge, width, height) * scene.rough * (0.5 + share) + level
        mask = (((down - top) * height) + 0.5).linear(255, 0).cast("uchar")
        haze = _mixed(scene.horizon, colour, (down - top) * 6 + 0.72)
        image = mask.ifthenelse(haze, image, blend=True)
    return image


def _mixed(first: Any, second: Any, share: Any) -> Any:
    """Return bands between two colours; the share is an image, cut off at 0 and 1."""
    share = (share > 1).ifthenelse(1, (share < 0).ifthenelse(0, share))
    bands = [share * (b - a) + a for a, b in zip(first, second, strict=True)]
    return bands[0].bandjoin(bands[1:])


def _with_sun(image: Any, scene: Scene, width: int, height: int) -> Any:
    place = pyvips.Image.xyz(width, height)
    across = place[0] - scene.sun_at[0] * width
    down = place[1] - scene.sun_at[1] * height
    distance = (across * across + down * down) ** 0.5 / max(width, height)
    glow = (distance * -9).exp() * 0.75
    disc = (distance * -max(width, height) + 0.028 * max(width, height)) * 0.5
    light = (disc > 1).ifthenelse(1, (disc < glow).ifthenelse(glow, disc))
    rest = light * -1 + 1
    return image * rest + light * list(scene.sun)


def _ridge_line(scene: Scene, ridge: int, width: int, height: int) -> Any:
    """Return a picture whose columns all hold the ridge's height there, about -1 to 1."""
    line = pyvips.Image.black(width, 1)
    for octave, cell in enumerate((260, 95, 32, 11)):
        seed = scene.seed * 100 + ridge * 10 + octave
        line = line + pyvips.Image.perlin(width, 1, cell_size=cell, seed=seed) * 0.55**octave
    return line.replicate(1, height)


def _video(folder: Path) -> Path:
    """Pan over a landscape for eight seconds, with a chord that swells and fades."""
    still, path = folder / "panorama.png", folder / "Evening.mp4"
    scenery = painted(SCENES[0], PANORAMA_WIDTH // 2, 360).cast("uchar").resize(2)
    scenery.copy(interpretation="srgb").pngsave(str(still), compression=1)
    frames = VIDEO_SECONDS * 30
    pan = (
        f"loop=loop={frames - 1}:size=1,setpts=N/30/TB,format=yuv420p,"
        f"crop=1280:720:x='(iw-1280)*(0.5-0.5*cos(PI*t/{VIDEO_SECONDS}))':y=0"
    )
    tones = "+".join(f"sin({hertz}*2*PI*t)" for hertz in (220, 277.18, 329.63))
    swell = f"0.09*sin(PI*t/{VIDEO_SECONDS})*({tones})"
    ffmpeg.run(
        [
            *("-framerate", "30", "-i", f"file:{still}"),
            *("-f", "lavfi", "-i", f"aevalsrc='{swell}':s=44100:d={VIDEO_SECONDS}"),
            *("-vf", pan, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "22", "-g", "60"),
            *("-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", str(path)),
        ],
        name=path.name,
        limits=Limits(),
    )
    still.unlink()
    return path


def _tune(folder: Path) -> Path:
    """Strike chimes, one each half second, that fade away."""
    path = folder / "Chimes.flac"
    struck = []
    for place, hertz in enumerate(TUNE):
        since = f"(t-{0.3 + 0.5 * place:.1f})"
        tone = f"(sin({hertz}*2*PI*t)+0.35*sin({2.76 * hertz:.2f}*2*PI*t)*exp(-6*{since}))"
        struck.append(f"if(gt({since},0),{tone}*exp(-2.2*{since})*min(1,200*{since}),0)")
    sound = f"0.5*({'+'.join(struck)})"
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", f"aevalsrc='{sound}':s=44100:d={TUNE_SECONDS}"),
            *("-af", "aecho=0.8:0.6:110|190:0.3|0.2", "-sample_fmt", "s16"),
            *("-metadata", "title=Chimes", "-metadata", "artist=Tidemill", str(path)),
        ],
        name=path.name,
        limits=Limits(),
    )
    return path


def _orders(folder: Path) -> Path:
    """Write a shop's orders of a year, with the little faults that real tables have."""
    path, dice = folder / "Orders.csv", Random(4)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            [
                "order_id",
                "ordered",
                "customer",
                "city",
                "items",
                "amount",
                "coupon",
                "status",
                "shipped",
            ]
        )
        for number in range(ORDERS):
            table.writerow(_order(number, dice))
        table.writerow(["the end", ""])
    return path


def _order(number: int, dice: Random) -> list[object]:
    month, day = (
        dice.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, 12, 12]),
        dice.randint(1, 27),
    )
    city = dice.choices(["Berlin", "Lisbon", "Kraków", "Aarhus", "Lyon"], [9, 5, 3, 2, 4])[0]
    if number % 211 == 5:
        city = city.lower()
    items = min(12, 1 + int(dice.expovariate(0.6)))
    amount = 99999.0 if number == 4003 else round(items * dice.lognormvariate(3, 0.5), 2)
    status = dice.choices(["paid", "open", "returned"], [90, 7, 3])[0]
    return [
        10_076 if number in {77, 901} else 10_000 + number,
        f"2024-{month:02}-{day:02} {dice.randint(7, 22):02}:{dice.randint(0, 59):02}:00",
        f"C{dice.randint(1, 900):04}",
        f" {city}" if number % 307 == 0 else city,
        items,
        f"{amount:.2f}",
        dice.choice(["", "", "", "", "WELCOME10", "SUMMER"]),
        status,
        "n/a" if status == "open" else f"{day + 1:02}.{month:02}.2024",
    ]


def main() -> None:
    """Write the samples into the folder that the command line names."""
    for path in make_samples(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
