"""Words and marks that templates share: sizes, durations, icons, state pills; knows no rows."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")
STATES: dict[str, tuple[str, str]] = {
    "receiving": ("Receiving", "upload"),
    "queued": ("Waiting", "clock"),
    "running": ("Running", "wheel"),
    "succeeded": ("Done", "check"),
    "partial": ("Partly done", "warn"),
    "failed": ("Failed", "warn"),
    "cancelled": ("Cancelled", "close"),
    "paused": ("Paused", "pause"),
    "cancelling": ("Cancelling", "close"),
    "complete": ("Here", "check"),
    "expired": ("Expired", "close"),
    "terminated": ("Removed", "close"),
    "open": ("Waiting", "clock"),
}


@register.filter
def size(count: int | float | None) -> str:
    """Return bytes in words, powers of 1024, at most one decimal: “8.2 MB”, “940 KB”."""
    value = float(count or 0)
    unit = 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value /= 1024
        unit += 1
    if unit == 0:
        return "1 byte" if value == 1 else f"{value:.0f} bytes"
    text = f"{value:.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0")
    return f"{text}\u00a0{UNITS[unit]}"


@register.filter
def duration(seconds: float | None) -> str:
    """Return seconds in words of at most two units: “48 s”, “5 min 40 s”, “1 h 12 min”."""
    if seconds is None:
        return ""
    if 0 < seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + "\u00a0s"
    whole = round(seconds)
    steps = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for length, unit in steps:
        amount, whole = divmod(whole, length)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount}\u00a0{unit}")
    return " ".join(parts[:2]) if parts[-1] != "0\u00a0s" or len(parts) == 1 else parts[0]


@register.filter
def percent(fraction: float | None) -> int:
    """Return a fraction 0…1 as a whole percentage; only a full one shows 100."""
    return min(99, int(fraction * 100)) if fraction is not None and fraction < 1 else 100


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one icon of the sprite in `_icons.html`; decoration, hidden from screen readers."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


@register.simple_tag
def pill(state: str) -> SafeString:
    """Return a state as text with its icon; colour only repeats what the text says."""
    words, mark = STATES.get(state, (state.capitalize(), "clock"))
    return format_html(
        '<span class="pill {}" data-state="{}">{}<span data-words>{}</span></span>',
        state,
        state,
        icon(mark),
        words,
    )


@register.simple_tag
def ago(at: datetime | None) -> SafeString:
    """Return a moment as “5 min ago” in a `<time>` that a script keeps fresh; the day when older."""
    if at is None:
        return SafeString("")
    seconds = (timezone.now() - at).total_seconds()
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        at.isoformat(),
        f"{local:%Y-%m-%d %H:%M}",
        _ago(seconds, local),
    )


def _ago(seconds: float, local: datetime) -> str:
    if seconds < 45:
        return "just now"
    for limit, length, unit in ((5400, 60, "min"), (36 * 3600, 3600, "h"), (7 * 86400, 86400, "d")):
        if seconds < limit:
            return f"{round(seconds / length)}\u00a0{unit} ago"
    return f"{local.day} {local:%b %Y}"


@register.filter
def plural(count: int, words: str) -> str:
    """Return “1 file” or “3 files” from `count|plural:"file,files"`."""
    one, many = words.split(",")
    return f"{count:,}\u00a0{one if count == 1 else many}".replace(",", "\u202f")
