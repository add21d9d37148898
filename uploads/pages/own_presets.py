"""A person's own presets as pages show them: in words, and as cards beside the operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uploads.errors import RequestError
from uploads.models import SavedPreset
from uploads.operations import Operation
from uploads.operations.presets import preset_of
from uploads.operations.registry import find
from uploads.pages.blanks import Blank, blanks
from uploads.pages.option_words import option_words
from uploads.work.titles import chain_label

MARK = "preset:"  # then the preset's key, in the place of an operation's name


@dataclass(frozen=True)
class OwnPreset:
    """One preset: `links` names each operation with what is special about it.

    `first` is the operation that gets the files, None if it is not installed; `blanks` are what
    its questions leave open.
    """

    preset: SavedPreset
    links: list[tuple[str, str]]
    first: Operation[Any] | None
    blanks: Sequence[Blank] = ()

    @property
    def label(self) -> str:
        return chain_label([label for label, _ in self.links])

    @property
    def value(self) -> str:
        return f"{MARK}{self.preset.key}"


def own_presets(user: Any, data: Mapping[str, Any] | None = None) -> list[OwnPreset]:
    """Return the presets of a person that can be used, filled in as a form was sent."""
    found = (preset_words(preset, data) for preset in SavedPreset.objects.visible_to(user))
    return [made for made in found if made.first is not None and not made.first.starts]


def preset_words(preset: SavedPreset, data: Mapping[str, Any] | None = None) -> OwnPreset:
    """Return a preset in words; operations that are not installed keep their bare names."""
    first = _operation(preset.stages[0]["operation"]) if preset.stages else None
    links = [_link(stage) for stage in preset.stages]
    return OwnPreset(preset, links, first, blanks(preset, MARK, data))


def _operation(name: str) -> Operation[Any] | None:
    try:
        return find(name)
    except RequestError:
        return None


def _link(stage: dict[str, Any]) -> tuple[str, str]:
    operation = _operation(stage["operation"])
    if operation is None:
        return stage["operation"], "not installed here"
    options = stage["options"]
    chosen = preset_of(operation, options)
    for preset in operation.presets:
        if preset.name == chosen:
            return operation.label, preset.label
    usual = operation.presets[0].options if operation.presets else {}
    special = {name: value for name, value in options.items() if usual.get(name) != value}
    words = [f"{label} {text}" for label, text in option_words(operation.name, special)]
    told = [word for word in words if not word.endswith(" —")]
    return operation.label, ", ".join(told[:4]) + (" …" if len(told) > 4 else "")
