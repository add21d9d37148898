"""Puts the kill switch into every function that makes something durable; a process stays armed."""

import builtins
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from tests.support.killpoints import Switch, behind
from uploads import bell
from uploads.work import perform, sandbox

CHANGES = re.compile(
    r"\s*(?:WITH\b.*?\bAS \(\s*(?=INSERT|UPDATE|DELETE))?"
    r"(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|REPLACE|TRUNCATE)\b",
    re.I | re.S,
)


def arm(switch: Switch) -> None:
    """Arm this process for good."""
    _arm_names(switch)
    _arm_bytes(switch)
    _arm_opening(switch)
    _arm_database(switch)
    _arm_effects(switch)


def _is_kept(switch: Switch, path: Any) -> bool:
    """Tell whether a path of ours outlives a restart: not scratch, not the run folder."""
    data = switch.folders[0]
    return str(path).startswith(data) and not str(path).startswith(f"{data}scratch/")


def _can_not_be_made(path: Any) -> bool:
    return os.path.lexists(path) or not Path(path).parent.is_dir()


def _arm_names(switch: Switch) -> None:
    """New, renamed and removed names."""

    def watched(kind: str, real: Callable[..., Any], *, missing: bool = False) -> Any:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            folder = named.get("dir_fd") or named.get("src_dir_fd")
            if switch.concerns(path, folder) and not (missing and _can_not_be_made(path)):
                switch.act(kind)
            return real(path, *arguments, **named)

        return call

    def giving(kind: str, real: Callable[..., Any]) -> Any:
        def call(source: Any, target: Any, *arguments: Any, **named: Any) -> Any:
            if switch.concerns(target):
                if _is_kept(switch, target):
                    switch.object(switch.syncs.renamed(source, target))
                switch.act(kind)
            return real(source, target, *arguments, **named)

        return call

    os.rename = giving("rename", os.rename)
    os.replace = giving("rename", os.replace)
    os.link = giving("link", os.link)
    os.unlink = watched("unlink", os.unlink)
    os.remove = watched("unlink", os.remove)
    os.rmdir = watched("rmdir", os.rmdir)
    os.mkdir = watched("mkdir", os.mkdir, missing=True)
    real_socket = bell.Listener._open_socket

    def open_socket(listener: bell.Listener, topic: str) -> None:
        switch.act("bind")
        real_socket(listener, topic)

    bell.Listener._open_socket = open_socket  # type: ignore[method-assign]


def _arm_bytes(switch: Switch) -> None:
    """Writes to descriptors, cuts and syncs."""

    def writing(real: Callable[..., int]) -> Any:
        def call(descriptor: int, data: Any, *arguments: Any) -> int:
            if not switch.concerns(descriptor):
                return real(descriptor, data, *arguments)
            switch.act("write")
            half = len(data) // 2
            if not half:
                return real(descriptor, data, *arguments)
            written = real(descriptor, memoryview(data)[:half], *arguments)
            switch.act("write-half")
            rest = [arguments[0] + written] if arguments else []
            return written + real(descriptor, memoryview(data)[written:], *rest)

        return call

    def watched(kind: str, real: Callable[..., Any]) -> Any:
        def call(target: Any, *arguments: Any) -> Any:
            if switch.concerns(target):
                switch.act(kind)
            return real(target, *arguments)

        return call

    def synced(real: Callable[..., Any]) -> Any:
        def call(descriptor: int) -> None:
            ours = switch.concerns(descriptor) or f"{behind(descriptor)}/" in switch.folders
            if ours:
                switch.act("fsync")
            real(descriptor)
            if ours:
                switch.syncs.synced(descriptor)

        return call

    os.write = writing(os.write)
    os.pwrite = writing(os.pwrite)
    os.truncate = watched("truncate", os.truncate)
    os.ftruncate = watched("truncate", os.ftruncate)
    os.fsync = synced(os.fsync)
    os.fdatasync = synced(os.fdatasync)


def _arm_opening(switch: Switch) -> None:
    """Files that are made or emptied by opening them; then, before the first byte is in them."""
    real_open, real_os_open = builtins.open, os.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        ours = set(mode) & set("wxa+") and switch.concerns(file)
        if ours and not isinstance(file, int):
            switch.act("create")
        handle = real_open(file, mode, *arguments, **named)
        if ours:
            switch.act("write")
        return handle

    def os_opened(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        makes = flags & os.O_CREAT and not os.path.lexists(path)
        if (makes or flags & os.O_TRUNC) and switch.concerns(path, named.get("dir_fd")):
            switch.act("create")
        return real_os_open(path, flags, *arguments, **named)

    builtins.open = io.open = opened  # type: ignore[assignment]
    os.open = os_opened


def _arm_database(switch: Switch) -> None:
    """Commits, and lone statements that commit by themselves."""
    wrapper: Any = BaseDatabaseWrapper
    cursor: Any = CursorWrapper
    commit, execute, many = wrapper._commit, cursor._execute, cursor._executemany

    def committed(connection: Any) -> Any:
        switch.object(switch.syncs.committed())
        switch.act("commit")
        return commit(connection)

    def executed(self: Any, sql: str, *arguments: Any) -> Any:
        if not self.db.in_atomic_block and CHANGES.match(sql):
            switch.act("commit")
        return execute(self, sql, *arguments)

    def executed_many(self: Any, sql: str, *arguments: Any) -> Any:
        if not self.db.in_atomic_block:
            switch.act("commit")
        return many(self, sql, *arguments)

    wrapper._commit, cursor._execute, cursor._executemany = committed, executed, executed_many


def _arm_effects(switch: Switch) -> None:
    """The bell, e-mails, and the child: its start and each of its messages."""
    ring, send = bell.ring, EmailMessage.send
    run_child, start = perform.run_child, sandbox.Program.start

    def rung(topic: str, name: str = "") -> None:
        switch.act("ring")
        ring(topic, name)

    def sent(message: EmailMessage, *arguments: Any, **named: Any) -> int:
        switch.act("send")
        return send(message, *arguments, **named)

    def started(program: Any, *arguments: Any) -> None:
        switch.act("spawn")
        start(program, *arguments)

    def ran(request: Any, bounds: Any, *, on_message: Any, **named: Any) -> Any:
        def heard(message: Any) -> None:
            switch.act("hear")
            on_message(message)

        return run_child(request, bounds, on_message=heard, **named)

    bell.ring, EmailMessage.send = rung, sent  # type: ignore[method-assign]
    perform.run_child, sandbox.Program.start = ran, started  # type: ignore[method-assign]
