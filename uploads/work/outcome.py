"""What a child left for each item: files, words, an error; gathered from its messages."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Fault = Literal["input", "step"]

LINES_MAX = 200
NEVER_AGAIN = frozenset(
    {
        "decoder_crashed",
        "disk_full",  # only when the whole disk is too small; otherwise the step is put on hold
        "operation_gone",
        "out_of_memory",
        "output_too_large",
        "scratch_full",
        "step_timeout",
        "too_many_open",
        "too_many_outputs",
        "too_many_processes",
    }
)


@dataclass(frozen=True)
class Made:
    """One file in the scratch folder, not yet adopted."""

    path: Path
    role: str
    meta: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Why an item (or part) was not done; a `step` fault may pass, an `input` fault may not."""

    code: str
    values: dict[str, Any]
    fault: Fault
    detail: str = ""

    @property
    def may_pass(self) -> bool:
        """Tell whether another try makes sense: our side's fault, and no limit that stays."""
        return self.fault == "step" and self.code not in NEVER_AGAIN


@dataclass
class Outcome:
    """How one item of a step ended; neither `done` nor `problem` means the child never got to it."""

    key: int
    started: bool = False
    done: bool = False
    made: list[Made] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    problem: Problem | None = None
    progress: float = 0.0

    @property
    def ended(self) -> bool:
        return self.done or self.problem is not None

    @property
    def warnings(self) -> list[str]:
        return [text for level, text in self.lines if level == "warning"]

    def _keep_line(self, level: str, text: str) -> None:
        if len(self.lines) < LINES_MAX:
            self.lines.append((level, text))
        elif len(self.lines) == LINES_MAX:
            self.lines.append(("info", f"It said more; its first {LINES_MAX} lines are kept."))

    def hear(self, message: dict[str, Any]) -> None:
        """Take in one message of the child's protocol (see `operations.child`)."""
        kind = message["t"]
        if kind == "start":
            self.started = True
            self.made, self.parts, self.lines, self.progress = [], [], [], 0.0
        elif kind == "progress":
            self.progress = float(message["value"])
        elif kind == "log":
            self._keep_line(str(message["level"]), str(message["text"]))
        elif kind == "output":
            self.made.append(Made(Path(message["path"]), message["role"], message["meta"]))
        elif kind == "parts":
            self.parts = list(message["parts"])
        elif kind == "done":
            self.done, self.progress = True, 1.0
        elif kind == "error":
            self.problem = Problem(
                message["code"], message["values"], message["fault"], message["detail"]
            )
