"""A role in one situation: what is there before, what the process does, who comes back after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def nobody() -> None:
    """Nobody comes back; the restarted processes do all."""


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes the situation, `live` is the process's life, `again` what a person or
    client, told nothing, does after the restart. Each runs in a process of its own.

    `unsure` allows an e-mail that was perhaps sent to be called so; `empty` begins without tables.
    `alike` changes a person's few rows, which every kind of database does alike: only `make soak`
    kills it on both.
    """

    role: str
    name: str
    prepare: Callable[[], Any]
    live: Callable[[], Any]
    again: Callable[[], Any] = nobody
    unsure: bool = False
    empty: bool = False
    alike: bool = False

    @property
    def redone(self) -> int:
        """Return how many steps may begin once more: the one that a killed worker held."""
        return 1 if self.role == "worker" else 0

    def __str__(self) -> str:
        return f"{self.role}: {self.name}"
