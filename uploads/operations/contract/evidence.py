"""What the promises are judged by: an example's files, what its runs said, whether words are good."""

import json
import mimetypes
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from uploads.errors import RequestError, sentence
from uploads.operations.base import Json, Operation
from uploads.operations.contract.serving import Told
from uploads.operations.contract.trial import Trial
from uploads.operations.options import fields_of, parse_options
from uploads.sniff import sniff

Content = bytes | str | Path
Example = Content | Sequence[Content] | Callable[[Path], Content | Sequence[Content]]


def promised(kept: object, broken: str) -> None:
    """Fail with a sentence unless the promise is kept."""
    __tracebackhide__ = True
    if not kept:
        raise AssertionError(broken)


def progress_of(told: Told) -> list[list[float]]:
    """Return the progress that was told of each item (or part), in order."""
    values: dict[str, list[float]] = {}
    for message in told.of("progress"):
        values.setdefault(message["item"], []).append(message["value"])
    return list(values.values())


class Evidence:
    """An operation with an example of its input, and what came of running it; see `Contract`."""

    operation: Operation[Any]
    example: Example = ()
    options: Mapping[str, Any] = {}
    files: Mapping[str, Path] = {}
    example_name: str = ""

    _trials: ClassVar[dict[str, Trial]] = {}

    def trial(self) -> Trial:
        """Return the trial of this operation and example, made once for all tests."""
        made = self.operation
        if any(field.type == "connection" for field in fields_of(made.options)):
            raise SkipTest(f"{made.name} asks a registered database; there is none here")
        given = [type(self).__module__, type(self).__qualname__, made.name, self.example]
        key = json.dumps([*given, dict(self.options)], default=str)
        if key not in self._trials:
            self._trials[key] = Trial(made, self._examples(), dict(self.options), self.files)
        return self._trials[key]

    def _examples(self) -> list[Path]:
        folder = Trial.folder_of_its_own()
        given: Any = self.example
        made = given(folder) if callable(given) else given
        listed = made if isinstance(made, list | tuple) else [made]
        return [self._file(content, folder / str(n)) for n, content in enumerate(listed)]

    def _file(self, content: Content, folder: Path) -> Path:
        if isinstance(content, Path):
            return content
        folder.mkdir()
        ending = ".txt" if isinstance(content, str) else ""
        ending = mimetypes.guess_extension(self.operation.accepts[0]) or ending
        path = folder / (self.example_name or f"example{ending}")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def done(self) -> Told:
        """Return what was said of the example; fails when it did not get done."""
        __tracebackhide__ = True
        told = self.trial().first
        promised(not told.trouble, f"Its example fails. {told.trouble}")
        return told

    def parsed(self, options: Mapping[str, Any], words: str) -> Any:
        """Return checked options, or fail with these words and the reason."""
        __tracebackhide__ = True
        try:
            return parse_options(self.operation.options, options)
        except RequestError as error:
            raise AssertionError(f"{words} {error}") from None

    def served(
        self, contents: Mapping[str, bytes], call: str = "run", media_type: str = ""
    ) -> Told:
        """Serve files of these names and contents in one child; their keys are 0, 1, …

        They are called what Tidemill takes them for, if the operation takes that, else what the
        example is: a file's kind may be all that is right about it.
        """
        room = self.trial().room("served")
        named = self.trial().media_types[0]
        items = []
        with tempfile.TemporaryDirectory() as folder:
            for key, (name, content) in enumerate(contents.items()):
                path = Path(folder) / name
                path.write_bytes(content)
                found = sniff(path, name).media_type
                kind = found if self.operation.accepts_type(found) else named
                items.append(room.item(str(key), path, media_type=media_type or kind))
        return self.trial().serve(room, items, call=call)

    def served_each(self, contents: Mapping[str, bytes]) -> Iterator[tuple[Told, str, str]]:
        """Serve files as they are in a batch, or each alone; yield what was said, name and key."""
        if self.operation.takes == "all":
            for name, content in contents.items():
                yield self.served({name: content}), name, "0"
            return
        told = self.served(contents, "plan" if self.operation.divisible else "run")
        for key, name in enumerate(contents):
            yield told, name, str(key)

    def said_well(self, error: Json, name: str, case: str) -> None:
        """Fail unless an error is one that the file's owner understands; it has to say `name`."""
        __tracebackhide__ = True
        words = sentence(error["code"], error["values"])
        promised(
            error["code"] != "operation_bug",
            f"A file with {case} ends in a bug: {words} Raise an InputError where the file is at "
            'fault: InputError.because("what is wrong with it", "what its owner can do").'
            f"\n{error['detail']}",
        )
        promised(
            error["fault"] != "input" or not name or name in words,
            f"The error of a file with {case} does not name the file: “{words}” "
            "Put `step.name` into its sentence.",
        )
