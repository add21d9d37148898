"""What a step's results are called: its job's pattern, filled in for each of them."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from django.utils import timezone

from uploads.models import Item, Step
from uploads.names import PATH_MAX_CHARACTERS, cleaned_name, cleaned_path
from uploads.naming import Facts, result_name
from uploads.operations.presets import preset_of
from uploads.operations.registry import find
from uploads.work.outcome import Made


class Names:
    """Names of the results of one step; the same however often and wherever it is run."""

    def __init__(self, step: Step) -> None:
        self._job = step.job
        self._stage = step.stage
        # Only what comes out at the end is called as the job wants it.
        self._pattern = "" if step.feeds else step.job.names

    def _preset(self, item: Item) -> str:
        if "{preset}" not in self._pattern:
            return ""
        return preset_of(find(self._stage.operation), {**self._stage.options, **item.options})

    def of(self, item: Item, made: Made, beside: Sequence[Made]) -> str:
        """Return the name of one file that an item made, `beside` all of them."""
        if own := made.meta.get("name"):
            return cleaned_name(str(own))
        return result_name(made.path.name, self._pattern, self._facts(item, made, beside))

    def path(self, item: Item, made: Made, beside: Sequence[Made]) -> str:
        """Return where the file lies among the job's: beside its source, or in a folder of its own."""
        folder = made.meta.get("folder")
        if not folder:
            return item.relative_path
        called = result_name(str(folder), self._pattern, self._facts(item, made, beside))
        name = str(made.meta.get("name") or made.path.name)
        inside = cleaned_path(f"{called}/{name}") or cleaned_name(name)
        path = str(PurePosixPath(item.relative_path).parent / inside)
        return path if len(path) <= PATH_MAX_CHARACTERS else inside

    def _facts(self, item: Item, made: Made, beside: Sequence[Made]) -> Facts:
        return Facts(
            name=item.name,
            number=item.position + 1,
            day=timezone.localdate(self._job.created_at),
            folder=PurePosixPath(item.relative_path).parent.name,
            dimensions=_dimensions(made, beside),
            preset=self._preset(item),
        )


def _dimensions(made: Made, beside: Sequence[Made]) -> str:
    """Return `width x height` of a result; a preview takes those of what it shows."""
    shown = made if made.role == "result" else next((m for m in beside if m.role == "result"), made)
    width, height = shown.meta.get("width"), shown.meta.get("height")
    return f"{width}x{height}" if width and height else ""
