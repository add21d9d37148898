"""What there is of a stream while it is being made: its playlists, and bytes as they will lie at the end.

A part that is done has been counted by the step that made it. The playlists name the files of the
finished stream, so a player goes on when the parts give way to these.
"""

from dataclasses import dataclass

from uploads.models import Item, Result, Step
from uploads.operations.base import Json
from uploads.operations.ladder import rendition_of, segments_of
from uploads.operations.playlists import MASTER, SOUND, master, media
from uploads.pages.serve import Stretch
from uploads.states import StepKind, StepState
from uploads.storage import store


@dataclass(frozen=True)
class Early:
    """The done parts at the start of one item's stream, with their files by quality."""

    item: Item
    sounds: list[Result]
    pieces: list[tuple[Step, dict[str, Result]]]
    silent: bool

    @property
    def playable(self) -> bool:
        """Tell whether the first piece and the sound are done."""
        return bool(self.pieces) and (self.silent or bool(self.sounds))

    @property
    def usual(self) -> float:
        return float(self.item.stage.options.get("segment", 4))

    def text(self, name: str) -> str | None:
        """Return a playlist as far as it goes, or None when there is none of that name yet."""
        if not self.playable:
            return None
        if name == MASTER:
            return self._master()
        quality = name.removesuffix(".m3u8")
        files = self._files(quality)
        if not files:
            return None
        metas = [file.meta for file in files]
        segments = segments_of(self.pieces[-1][0].params, metas)
        return media(f"{quality}.mp4", metas[0]["head"], segments, self.usual, whole=False)

    def _master(self) -> str:
        first = self.pieces[0][0].params
        bits = self.sounds[0].meta["bits"] if self.sounds else 0
        renditions = []
        for quality in first["ladder"]:
            meta = self.pieces[0][1][quality["name"]].meta
            segments = segments_of(first, [meta])
            renditions.append(rendition_of(quality, first, meta, segments, bits))
        return master(renditions, sound=bool(self.sounds))

    def stretches(self, name: str) -> list[Stretch]:
        """Return the bytes of a quality's file so far: one head, then every fragment."""
        found = []
        for place, file in enumerate(self._files(name.removesuffix(".mp4"))):
            first, last = file.meta["fragments"][0], file.meta["fragments"][-1]
            begin = 0 if place == 0 else first[0]
            path = store.path(file.storage_key)
            found.append(Stretch(path, begin, last[0] + last[1] - begin))
        return found

    def sound(self, name: str) -> Result | None:
        """Return the sound's file or playlist, which are as they will be."""
        stem, _, suffix = name.partition(".")
        if stem != SOUND:
            return None
        return next((file for file in self.sounds if file.name.endswith(f".{suffix}")), None)

    def _files(self, quality: str) -> list[Result]:
        return [files[quality] for _, files in self.pieces if quality in files]

    def seconds(self) -> float:
        """Return how much of it can be watched."""
        if not self.playable:
            return 0.0
        quality = next(iter(self.pieces[0][1]))
        metas = [file.meta for file in self._files(quality)]
        return sum(s.seconds for s in segments_of(self.pieces[-1][0].params, metas))


def early(item: Item) -> Early:
    """Read which parts of an item are done, from the first one on without a gap."""
    steps = list(item.part_steps.filter(kind=StepKind.WORK).order_by("seq"))
    files: dict[int, list[Result]] = {}
    for result in Result.objects.filter(item=item, role="part").order_by("step_id", "position"):
        files.setdefault(result.step_id, []).append(result)
    sounds: list[Result] = []
    pieces: list[tuple[Step, dict[str, Result]]] = []
    silent, whole = True, True
    for step in steps:
        done = step.state == StepState.SUCCEEDED and step.pk in files
        if _kind(step) == "sound":
            silent = False
            sounds += files[step.pk] if done else []
        else:
            whole = whole and done
            pieces += [(step, _by_quality(files[step.pk]))] if whole else []
    return Early(item, sounds, pieces, silent)


def _kind(step: Step) -> str:
    params: Json = step.params
    return str(params.get("kind", ""))


def _by_quality(files: list[Result]) -> dict[str, Result]:
    return {str(file.meta.get("quality", "")): file for file in files}
