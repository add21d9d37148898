"""Big files, slow lines and real drops for the browser tests."""

import os
from pathlib import Path

from playwright.sync_api import Page

MB = 1024 * 1024


def big_picture(folder: Path, size: int = 24 * MB, name: str = "big.tiff") -> Path:
    """Return a real picture of about this size: noise, uncompressed."""
    from PIL import Image

    width = 2048
    height = size // (width * 3)
    path = folder / name
    Image.frombytes("RGB", (width, height), os.urandom(width * height * 3)).save(path)
    return path


def slow_line(page: Page, bytes_per_second: int) -> None:
    """Send no faster than this from now on; -1 lifts the limit."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": bytes_per_second,
        },
    )


def drop(page: Page, *paths: Path) -> None:
    """Drop files or folders from the desktop into the page's drop area."""
    box = page.locator("drop-zone").bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    mouse = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        mouse.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
