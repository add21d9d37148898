"""The operation `mail.batch`: letters from a table and a template; it writes them and sends none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option

TEXT_MAX = 20_000
HTML_MAX = 100_000


@dataclass(frozen=True)
class Letters:
    """What is written, to whom, and how fast it is sent."""

    subject: str = option(
        "", "Columns of the table in braces: Your invoice, {name}.", max_length=400, main=True
    )
    text: str = option(
        "",
        "The letter as plain text, such as: Dear {name}, …",
        max_length=TEXT_MAX,
        main=True,
        multiline=True,
    )
    html: str = option(
        "",
        "The same letter as HTML, if wanted; values from the table are escaped.",
        label="HTML",
        max_length=HTML_MAX,
        multiline=True,
    )
    column: str = option(
        "",
        "Its heading; empty finds a column called email, e-mail or mail.",
        label="Column with the address",
        max_length=100,
        main=True,
    )
    from_name: str = option("", "Shown beside the server's own address.", max_length=100)
    reply_to: str = option("", "Where answers go; empty: to the sender's address.", max_length=254)
    per_minute: int = option(
        60, "How many letters are sent in a minute.", min=1, max=6000, unit="letters"
    )


PRESETS = (
    Preset("careful", "One a second", "Sixty letters a minute, which most servers bear.", {}),
    Preset("slow", "Slowly", "Ten letters a minute, for servers with strict limits.", {"per_minute": 10}),
)  # fmt: skip


@operation(
    "mail.batch",
    label="E-mails from a table",
    accepts=["text/csv"],
    options=Letters,
    presets=PRESETS,
    lane="light",
    sends=True,
    reusable=False,
    seconds=lambda size: 0.3 + size / 5e6,
    needs_disk=lambda size: 64 * 1024**2 + 20 * size,
)
def letters(source: Path, step: Context[Letters]) -> Iterator[Output]:
    """Send one e-mail to each row of a table, at most once to any address."""
    from uploads.operations import mail_make

    yield from mail_make.make(source, step)
