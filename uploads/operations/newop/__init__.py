"""What `manage.py newop` writes: a package with one operation that works, its tests, its page.

The templates lie beside as `*.tmpl`; `$name` and its like are filled in.
"""

import builtins
import keyword
import os
import re
from importlib.util import find_spec
from pathlib import Path
from string import Template

from uploads.operations.registry import NAME, operations

HERE = Path(__file__).resolve().parent


class NewOperation:
    """A package to be written for an operation called like `words.count`."""

    def __init__(self, name: str, into: Path) -> None:
        self.name = name
        self.family, _, self.verb = name.partition(".")
        self.package = f"mill_{self.family}"
        self.folder = into / self.package.replace("_", "-")

    def trouble(self) -> str:
        """Say in a sentence why it can't be written; "" when it can."""
        if not NAME.fullmatch(self.name) or "." in self.verb:
            return (
                f"“{self.name}” is no operation's name. Take two words of small letters with a dot "
                "between them, such as words.count: what it is about, and what it does."
            )
        for word in (self.family, self.verb):
            if keyword.iskeyword(word) or hasattr(builtins, word):
                return f"“{word}” means something to Python itself; take another word."
        if self.name in operations():
            return f"There is an operation “{self.name}” already; take another name."
        if self.folder.exists():
            return (
                f"{self.folder} is there already, and nothing is overwritten. Write your function "
                "beside the others in it, or choose another folder with --into."
            )
        if find_spec(self.package) is not None:
            return f"A package {self.package} is installed already; take another first word."
        return ""

    def write(self) -> list[Path]:
        """Write every file and return them; raises `FileExistsError` when the folder is there."""
        self.folder.mkdir(parents=True)
        written = []
        for template, place in self._places().items():
            path = self.folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (HERE / template).read_text(encoding="utf-8")
            path.write_text(Template(text).substitute(self._values()), encoding="utf-8")
            written.append(path)
        return written

    def _places(self) -> dict[str, str]:
        return {
            "pyproject.toml.tmpl": "pyproject.toml",
            "operation.py.tmpl": f"{self.package}/__init__.py",
            "test.py.tmpl": f"tests/test_{self.family}_{self.verb}.py",
            "README.md.tmpl": "README.md",
        }

    def _values(self) -> dict[str, str]:
        words = re.sub(r"[_.]+", " ", f"{self.verb} {self.family}")
        return {
            "name": self.name,
            "family": self.family,
            "verb": self.verb,
            "package": self.package,
            "distribution": self.folder.name,
            "label": words.capitalize(),
            "tidemill": Path(os.path.relpath(HERE.parents[2], self.folder)).as_posix(),
        }
