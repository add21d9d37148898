"""What the event of a finished step tells pages about an item; knows no transaction."""

from typing import Any

from uploads.models import Result


def shown_item(name: str, results: list[Result]) -> dict[str, Any]:
    """Return what a page needs to show a finished item: its name, its result, a small picture.

    `shows` tells that the result itself is a picture to look at in place.
    """
    pictures = [r for r in results if r.media_type.startswith("image/") and r.role != "report"]
    smallest = min(pictures, key=lambda r: r.size_bytes, default=None)
    main = next((r for r in results if r.role == "result"), None)
    return {
        "name": name,
        "picture": smallest.key if smallest else None,
        "result": main.key if main else None,
        "shows": main is not None and main.media_type.startswith("image/"),
        "size_bytes": sum(r.size_bytes for r in results if r.role == "result"),
    }
