"""Confine the child: limits, no new privileges, Landlock, seccomp. Applied before any input is read."""

from typing import Any


def confine(rules: dict[str, Any] | None) -> None:
    """Apply the rules to this process and all it starts."""
