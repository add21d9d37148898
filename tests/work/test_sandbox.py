"""A child's end: each bad end has its code within its limit, and nothing is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.work.sandbox_room import HERE, MIB, OPEN, Room, on_each_database, room
from uploads.errors import Cancelled, LeaseLost, StepError
from uploads.operations.guard import children
from uploads.work.sandbox import Bounds, level, run_child

__all__ = ["on_each_database", "room"]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(truth: Callable[[], bool], seconds: float = 15) -> None:
    give_up = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


def _once_reporting(room: Room, error: BaseException) -> Callable[[], None]:
    def tick() -> None:
        if "progress" in room.kinds():
            raise error

    return tick


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has Landlock and seccomp")
def test_the_whole_sandbox_is_there_on_linux() -> None:
    assert level().name == "full", level().reasons
    assert level().layers == ("landlock", "seccomp")


def test_a_served_request_ends_without_a_code(room: Room) -> None:
    assert room.told("nothing") == "the input"


def test_what_an_operation_prints_is_kept_as_detail_and_is_no_message(room: Room) -> None:
    ended = room.run("nothing")
    assert ended.detail == "this goes to standard error\n"
    assert room.kinds() == ["start", "output", "done"]


def test_only_the_last_4_kb_of_noise_are_kept(room: Room) -> None:
    ended = room.run("noise")
    assert ended.code == ""
    assert len(ended.detail) == 4096
    assert ended.detail.endswith("line 19999 of the noise\n")


def test_a_large_request_is_fed_without_deadlock(room: Room) -> None:
    ended = room.run("noise", items=3, path="x" * 3000)
    request = room.request("nothing", "misbehave", 3)
    request["ballast"] = "x" * (4 * MIB)
    bounds = Bounds(room.inputs, room.out, 2048 * MIB, 20)
    again = run_child(request, bounds, on_message=lambda message: None, tick=lambda: None)
    assert (ended.code, again.code) == ("", "")


def test_the_environment_holds_only_what_is_meant(room: Room, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    assert room.told("environment").split() == [
        "HOME", "LANG", "OMP_THREAD_LIMIT", "PATH", "PYTHONPATH", "RAYON_NUM_THREADS", "TMPDIR",
        "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGBUS, signal.SIGKILL])
def test_a_crash_is_a_crash_of_the_decoder_and_names_the_item(room: Room, number: int) -> None:
    ended = room.run("signal", number=int(number))
    assert (ended.code, ended.status, ended.item) == ("decoder_crashed", -number, "i0")


def test_a_segmentation_fault_leaves_its_trace(room: Room) -> None:
    ended = room.run("segfault")
    assert (ended.code, ended.status) == ("decoder_crashed", -signal.SIGSEGV)
    assert "deed_segfault" in ended.detail


def test_a_library_that_crashes_after_all_is_served_does_no_harm(room: Room) -> None:
    assert room.told("crash_at_exit") == "served"


def test_an_abort_for_want_of_memory_says_so(room: Room) -> None:
    ended = room.run("no_memory_abort")
    assert (ended.code, ended.values) == ("out_of_memory", {"limit": "2 GB"})


def test_eating_memory_is_refused_and_named(room: Room) -> None:
    ended = room.run("eat", number=4096 * MIB)
    assert ended.code == ""
    assert room.error()["code"] == "out_of_memory"
    assert room.error()["values"] == {"limit": "2 GB"}


def test_memory_has_a_limit_above_all_operations(room: Room, settings: Any) -> None:
    settings.TIDEMILL_MEMORY_MAX_BYTES = 1024 * MIB
    room.run("eat", number=1500 * MIB)
    assert room.error()["values"] == {"limit": "1 GB"}


def test_a_huge_file_is_an_error_of_its_item(room: Room) -> None:
    told = room.told("big_file", file=3 * MIB)
    assert told == "OSError"
    assert (room.out / "i0" / "source.big").stat().st_size == 3 * MIB


def test_a_program_that_writes_a_huge_file_is_ended(room: Room) -> None:
    ended = room.run("big_file_of_a_program", file=3 * MIB)
    assert (ended.code, ended.values) == ("output_too_large", {"limit": "3 MB"})


def test_the_processor_limit_counts_as_a_timeout(room: Room) -> None:
    assert room.run("signal", number=int(signal.SIGXCPU)).code == "step_timeout"


def test_a_spinning_child_ends_at_its_deadline(room: Room) -> None:
    begun = time.monotonic()
    ended = room.run("spin", wall=2.5)
    assert (ended.code, ended.values) == ("step_timeout", {"limit": "2.5 seconds"})
    assert time.monotonic() - begun < 9
    assert ended.cpu_seconds > 0.1


@pytest.mark.parametrize("what", ["garbage", "long_line", "deep_line"])
def test_what_is_no_message_ends_the_child(room: Room, what: str) -> None:
    ended = room.run(what)
    assert ended.code == "operation_bug"
    assert ended.values["reason"].startswith("It sent a line that is")


@pytest.mark.parametrize(
    "line",
    [
        '{"t": "done", "item": "somebody else\'s"}',
        '{"t": "done", "item": ["i0"]}',
        '{"t": "start", "item": "i0"}',
        '{"t": "launch", "item": "i0"}',
        '{"t": "progress", "item": "i0", "value": "half", "note": ""}',
        '{"t": "progress", "item": "i0", "value": NaN, "note": ""}',
        '{"t": "log", "item": "i0", "text": "\\ud800", "level": "info"}',
        '{"t": "log", "item": "i0"}',
        '{"t": "error", "item": "i0", "code": "x", "values": {}, "fault": "step", "detail": ""}',
        '{"t": "error", "item": "i0", "code": "disk_full", "values": 1, "fault": "", "detail": ""}',
        '{"t": "output", "item": "i0", "path": "/etc/passwd", "role": "result", "meta": {}}',
        '{"t": "output", "item": "i0", "path": "../inputs/source", "role": "result", "meta": {}}',
    ],
)
def test_a_forged_message_ends_the_child(room: Room, line: str) -> None:
    ended = room.run("forge", path=line)
    assert ended.code == "operation_bug"
    assert "output" not in room.kinds()


def test_text_that_no_database_takes_is_replaced(room: Room) -> None:
    assert room.told("odd_text") == "said"
    assert room.log() == "null \ufffd, half a pair ?"


def test_a_child_that_leaves_early_has_not_served(room: Room) -> None:
    ended = room.run("leave", number=0)
    assert (ended.code, ended.item) == ("operation_bug", "i0")
    assert room.run("leave", number=3).status == 3


def test_an_operation_that_is_not_installed_is_gone(room: Room) -> None:
    ended = room.run("nothing", operation="unheard-of")
    assert ended.code == ""
    assert room.error()["code"] == "operation_gone"


# --- ended from outside ---------------------------------------------------------------------


def test_a_tick_comes_in_time_while_a_child_works(room: Room) -> None:
    ticks: list[float] = []
    room.run("spin", wall=2, tick=lambda: ticks.append(time.monotonic()))
    gaps = [later - sooner for sooner, later in pairwise(ticks)]
    assert len(ticks) >= 3
    assert max(gaps) < 1


def test_cancelled_lets_the_operation_unwind(room: Room) -> None:
    asked_at: list[float] = []

    def tick() -> None:
        if "progress" in room.kinds():
            asked_at.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        room.run("program", operation="wait", tick=tick)
    assert time.monotonic() - asked_at[0] < 2.5
    assert not any(map(_alive, room.pids()))


def test_who_ignores_the_wish_to_stop_is_killed_after_three_seconds(room: Room) -> None:
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        room.run(
            "ignore_term_and_report", operation="wait", tick=_once_reporting(room, Cancelled())
        )
    assert 3 <= time.monotonic() - begun < 7


def test_a_lost_lease_kills_at_once(room: Room) -> None:
    raised_at: list[float] = []

    def tick() -> None:
        if "progress" in room.kinds():
            raised_at.append(time.monotonic())
            raise LeaseLost

    with pytest.raises(LeaseLost):
        room.run("ignore_term_and_report", operation="wait", tick=tick)
    assert time.monotonic() - raised_at[0] < 2.5


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_worker_kills_at_once(room: Room, error: type[BaseException]) -> None:
    with pytest.raises(error):
        room.run("program", operation="wait", tick=_once_reporting(room, error()))
    assert not any(map(_alive, room.pids()))


def test_an_error_of_the_listener_ends_the_child(room: Room) -> None:
    def refuse(message: dict[str, Any]) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        run_child(
            room.request("nothing", "wait"),
            Bounds(room.inputs, room.out, 2048 * MIB, 20),
            on_message=refuse,
            tick=lambda: None,
        )


def test_a_daemon_in_its_own_session_dies_with_the_child(room: Room) -> None:
    ended = room.run("daemon", machine=OPEN)
    assert ended.code == ""
    assert not any(map(_alive, room.pids()))


def test_a_daemon_dies_when_its_step_is_lost(room: Room) -> None:
    with pytest.raises(LeaseLost):
        room.run("daemon", operation="wait", machine=OPEN, tick=_once_reporting(room, LeaseLost()))
    assert not any(map(_alive, room.pids()))


def test_processes_that_multiply_in_own_sessions_all_die(room: Room) -> None:
    before = children()
    room.run("breed", operation="wait", machine=OPEN, wall=1.5)
    assert children() == before
    assert not _programs_in(room.out)


def test_a_killed_guard_lets_nobody_survive(room: Room) -> None:
    before = children()

    def kill_the_guard() -> None:
        if "progress" in room.kinds():
            for pid in children() - before:
                os.kill(pid, signal.SIGKILL)

    ended = room.run("daemon", operation="wait", machine=OPEN, tick=kill_the_guard)
    assert (ended.code, ended.status) == ("decoder_crashed", -signal.SIGKILL)
    assert not any(map(_alive, room.pids()))


def test_nobody_leaves_the_group_of_a_shut_in_child(room: Room) -> None:
    assert room.told("setsid") == "7"


@pytest.mark.parametrize("what", ["program", "daemon"])
def test_a_killed_worker_takes_everything_with_it(room: Room, what: str) -> None:
    request = json.dumps(room.request(what, "wait"), default=str)
    script = (
        "import django, json, sys; django.setup()\n"
        "from pathlib import Path\n"
        "from uploads.work.sandbox import *\n"
        f"bounds = Bounds(Path({str(room.inputs)!r}), Path({str(room.out)!r}), 2 * 1024**3, 60)\n"
        f"machine = Level('reduced', (), ()) if {what!r} == 'daemon' else None\n"
        "run_child(json.loads(sys.argv[1]), bounds, machine=machine, tick=lambda: None,\n"
        "    on_message=lambda message: None)\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "TIDEMILL_OPERATIONS_PATH": str(HERE),
    }
    before = children()
    worker = subprocess.Popen(
        [sys.executable, "-c", script, request], env=environment, cwd=HERE.parents[1]
    )
    try:
        _until(lambda: (room.out / "i0" / "pids").exists() and len(room.pids()) > 0)
    finally:
        worker.kill()
        worker.wait()
    _until(lambda: not any(map(_alive, room.pids())), 5)
    _until(lambda: not _programs_in(room.out), 5)
    for orphan in children() - before:  # `up` does this for its workers' orphans
        assert os.waitpid(orphan, os.WNOHANG)[0] == orphan


def _programs_in(folder: Path) -> list[str]:
    """Return the processes whose working folder is this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue
    return found


def test_a_weak_machine_is_refused_where_the_full_sandbox_is_required(
    room: Room, settings: Any
) -> None:
    settings.TIDEMILL_SANDBOX = "require"
    assert room.told("nothing") == "the input"
    with pytest.raises(StepError) as refused:
        room.run("nothing", machine=OPEN)
    assert refused.value.code == "sandbox_unavailable"
    assert "A machine without Landlock" in refused.value.text
