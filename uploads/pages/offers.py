"""Operations as the new-job page offers them: cards, presets, the form of their options."""

import json
from dataclasses import dataclass
from typing import Any

from uploads.operations import Operation, Preset
from uploads.operations.archive import ARCHIVES
from uploads.operations.data import TABLES
from uploads.operations.office import OFFICE
from uploads.operations.pdf_pages import PDF
from uploads.operations.registry import BUILT_IN, operations
from uploads.pages.forms import OWN, OptionsForm, main_names, prefix_of, preset_values, sent_main
from uploads.work.messages import is_on

FAMILIES = {
    "image": "pictures",
    "video": "videos",
    "audio": "sound",
    "text": "text files",
    "*": "any file",
}


@dataclass(frozen=True)
class Choice:
    """One preset with the values that its choice puts into the fields."""

    preset: Preset
    values: str
    chosen: bool


@dataclass(frozen=True)
class Offer:
    """One operation's card with its form; `chosen` is the card that is open."""

    operation: Operation[Any]
    choices: list[Choice]
    form: OptionsForm
    chosen: bool
    own: bool
    place: int = 0

    @property
    def prefix(self) -> str:
        """Return what the names of its fields begin with."""
        return prefix_of(self.operation, self.place)

    @property
    def takes(self) -> str:
        """Return what it accepts in words: “pictures”, “videos and sound”."""
        if set(self.operation.accepts) >= set(TABLES):
            return "tables"
        if set(self.operation.accepts) == set(ARCHIVES):
            return "archives"
        if set(self.operation.accepts) == set(OFFICE):
            return "office files"
        parts = [pattern.partition("/") for pattern in self.operation.accepts]
        words = [
            "PDFs" if f"{family}/{ending}" == PDF else FAMILIES.get(family, ending)
            for family, _, ending in parts
        ]
        return " and ".join(dict.fromkeys(words))

    @property
    def accepts(self) -> str:
        return " ".join(self.operation.accepts)

    @property
    def icon(self) -> str:
        if set(self.operation.accepts) >= set(TABLES):
            return "table"
        family = self.operation.name.partition(".")[0]
        if family in {"archive", "mail"}:
            return family
        if self.operation.starts:
            return "table"
        if self.operation.accepts[0] in {PDF, *OFFICE}:
            return "document"
        family = self.operation.accepts[0].partition("/")[0]
        return family if family in {"image", "video", "audio"} else "search"

    @property
    def asks(self) -> bool:
        """Tell whether it puts questions."""
        return self.operation.looker is not None

    @property
    def lacks(self) -> str:
        """Return what this server needs first, as a sentence; nothing if it can be used."""
        return self.operation.missing()

    @property
    def open_options(self) -> bool:
        return self.own or bool(self.form.errors)


def offers(owner: Any, data: Any = None, wanted: str = "") -> list[Offer]:
    """Return every operation as a card, those for a kind of file before those for any."""
    ordered = in_order()
    names = [operation.name for operation in ordered]
    chosen = wanted if wanted in names else (names[0] if names else "")
    return [offer(operation, owner, data, chosen) for operation in ordered]


def in_order() -> list[Operation[Any]]:
    """Return every operation that takes files, those for a kind of file before those for any."""
    made = [made for made in operations().values() if not made.starts]
    known = [operation for operation in made if is_on() or not operation.sends]
    return sorted(known, key=_rank)


def _rank(operation: Operation[Any]) -> tuple[bool, bool, int, str]:
    place = BUILT_IN.index(operation.module) if operation.module in BUILT_IN else len(BUILT_IN)
    return bool(operation.missing()), "*/*" in operation.accepts, place, operation.label


def offer(operation: Operation[Any], owner: Any, data: Any, chosen: str, place: int = 0) -> Offer:
    """Return one operation with its form as `data` fills it, if it is the chosen one."""
    mine = data is not None and operation.name == chosen
    name = data.get(f"{prefix_of(operation, place)}-preset", "") if mine else ""
    own = name == OWN or not operation.presets
    known = name if name in {preset.name for preset in operation.presets} else ""
    first = known or ("" if own else operation.presets[0].name)
    choices = [
        Choice(preset, json.dumps(_filled(operation, preset)), preset.name == first)
        for preset in operation.presets
    ]
    form = OptionsForm(operation, data if mine and own else None, owner=owner, place=place)
    if not form.is_bound and operation.presets:
        shown = next(p for p in operation.presets if p.name == (first or operation.presets[0].name))
        form.initial = preset_values(operation, shown.options)
        if mine:
            form.initial |= sent_main(operation, data, place)
    return Offer(operation, choices, form, operation.name == chosen, own, place)


def _filled(operation: Operation[Any], preset: Preset) -> dict[str, Any]:
    """Return what the choice of a preset puts into the fields: not what no preset knows."""
    values = preset_values(operation, preset.options)
    return {name: value for name, value in values.items() if name not in main_names(operation)}
