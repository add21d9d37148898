"""Operations that behave badly, for the sandbox's tests; imported by the child."""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations import Context, operation, option


@dataclass(frozen=True)
class Do:
    """What to do, and a path or a number to do it with."""

    what: str = option("nothing", "Name of the deed.")
    path: str = option("", "Path for the deed.", max_length=4000)
    number: int = option(0, "Number for the deed.")


@operation("test.misbehave", label="Misbehave", accepts=["*/*"], options=Do)
def misbehave(source: Path, step: Context[Do]) -> Iterator[Path]:
    """Do the deed and write what came of it."""
    target = step.path("source.txt")
    try:
        told = globals()[f"deed_{step.options.what}"](source, step)
    except OSError as error:
        told = type(error).__name__
    target.write_text(str(told))
    yield target


@operation("test.wait", label="Wait", accepts=["*/*"], options=Do)
def wait(source: Path, step: Context[Do]) -> Iterator[Path]:
    """Start what the options say, then report until somebody wants the end."""
    kept = globals()[f"deed_{step.options.what}"](source, step)
    while True:
        step.report(0.5, f"{kept}")
        time.sleep(0.02)
    yield source


@operation("test.yield_link", label="Yield a link", accepts=["*/*"], options=Do)
def yield_link(source: Path, step: Context[Do]) -> Iterator[Path]:
    """Yield a link to the path."""
    link = step.path("link")
    link.symlink_to(step.options.path)
    yield link


def deed_nothing(source: Path, step: Context[Do]) -> str:
    print("this goes to standard error")  # noqa: T201
    return source.read_text()


def deed_spin(source: Path, step: Context[Do]) -> None:
    while True:
        pass


def deed_program(source: Path, step: Context[Do]) -> int:
    started = subprocess.Popen(["/bin/sleep", "300"])
    (step.folder / "pids").write_text(f"{os.getpid()} {started.pid}")
    return started.pid


def deed_daemon(source: Path, step: Context[Do]) -> int:
    """Leave a process in a session of its own, whose parent has ended, that ignores SIGTERM."""
    first = os.fork()
    if first == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            waiting = step.folder / "pids.new"
            waiting.write_text(f"{os.getpid()}")
            waiting.rename(step.folder / "pids")
            time.sleep(300)
        os._exit(0)
    os.waitpid(first, 0)
    while not (step.folder / "pids").exists():
        time.sleep(0.01)
    return first


def deed_breed(source: Path, step: Context[Do]) -> None:
    """Fork and fork again, as fast as it goes."""
    for _ in range(30):
        if os.fork() == 0:
            os.setsid()
            while os.getppid() > 1:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                time.sleep(0.05)


def deed_setsid(source: Path, step: Context[Do]) -> str:
    if os.fork() == 0:
        try:
            os.setsid()
        except PermissionError:
            os._exit(7)
        os._exit(0)
    return f"{os.waitstatus_to_exitcode(os.wait()[1])}"


def deed_eat(source: Path, step: Context[Do]) -> int:
    return len(bytearray(step.options.number))


def deed_big_file(source: Path, step: Context[Do]) -> None:
    with step.path("source.big").open("wb") as file:
        file.truncate(0)
        while True:
            file.write(bytes(1 << 20))


def deed_big_file_of_a_program(source: Path, step: Context[Do]) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    deed_big_file(source, step)


def deed_signal(source: Path, step: Context[Do]) -> None:
    os.kill(os.getpid(), step.options.number)
    time.sleep(10)


def deed_segfault(source: Path, step: Context[Do]) -> None:
    ctypes.string_at(0)


def deed_crash_at_exit(source: Path, step: Context[Do]) -> str:
    atexit.register(ctypes.string_at, 0)
    return "served"


def deed_no_memory_abort(source: Path, step: Context[Do]) -> None:
    os.write(2, b"GLib-ERROR **: failed to allocate 123456789 bytes\n")
    os.abort()


def deed_leave(source: Path, step: Context[Do]) -> None:
    sys.exit(step.options.number)


def deed_garbage(source: Path, step: Context[Do]) -> None:
    _to_the_pipe(b"\xff\xfe not a message\n")


def deed_long_line(source: Path, step: Context[Do]) -> None:
    _to_the_pipe(b"x" * (9 << 20))


def deed_deep_line(source: Path, step: Context[Do]) -> None:
    _to_the_pipe(b"[" * 200_000 + b"\n")


def deed_forge(source: Path, step: Context[Do]) -> None:
    _to_the_pipe(step.options.path.encode() + b"\n")


def deed_noise(source: Path, step: Context[Do]) -> str:
    for number in range(20_000):
        print(f"line {number} of the noise")  # noqa: T201
    sys.stdout.flush()
    return "said"


def deed_odd_text(source: Path, step: Context[Do]) -> str:
    step.log("null \0, half a pair \ud800")
    return "said"


def _to_the_pipe(data: bytes) -> None:
    for descriptor in range(3, 20):
        try:
            if not os.isatty(descriptor):
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError:
            continue


def deed_read(source: Path, step: Context[Do]) -> str:
    return Path(step.options.path).read_bytes()[:10].hex()


def deed_read_link(source: Path, step: Context[Do]) -> str:
    link = step.path("link")
    link.symlink_to(step.options.path)
    return link.read_text()


def deed_write(source: Path, step: Context[Do]) -> str:
    Path(step.options.path).write_text("overwritten")
    return "written"


def deed_write_input(source: Path, step: Context[Do]) -> str:
    source.write_text("overwritten")
    return "written"


def deed_truncate_input(source: Path, step: Context[Do]) -> str:
    os.close(os.open(source, os.O_RDONLY | os.O_TRUNC))
    return "emptied"


def deed_chmod_input(source: Path, step: Context[Do]) -> str:
    source.chmod(0)
    return "changed"


def deed_touch_input(source: Path, step: Context[Do]) -> str:
    os.utime(source, (1, 1))
    return "changed"


def deed_link_input(source: Path, step: Context[Do]) -> str:
    os.link(source, step.path("linked"))
    step.path("linked").write_text("overwritten")
    return "linked"


def deed_remove_input(source: Path, step: Context[Do]) -> str:
    source.unlink()
    return "removed"


def deed_open_socket(source: Path, step: Context[Do]) -> str:
    family, kind = divmod(step.options.number, 100)
    socket.socket(family, kind).close()
    return "opened"


def deed_connect(source: Path, step: Context[Do]) -> str:
    with socket.create_connection(("127.0.0.1", step.options.number), 5) as made:
        return "connected" if made.getpeername() else "no"


def deed_connect_once(source: Path, step: Context[Do]) -> str:
    said = [deed_connect(source, step)]
    step.shut_network()

    def again() -> None:
        try:
            said.append(deed_connect(source, step))
        except OSError as error:
            said.append(type(error).__name__)

    again()
    thread = threading.Thread(target=again)
    thread.start()
    thread.join()
    return f"{said[0]}, then {said[1]}, in a thread {said[2]}"


def deed_socketpair(source: Path, step: Context[Do]) -> str:
    one, other = socket.socketpair()
    with one, other:
        one.send(b"hello")
        return other.recv(5).decode()


def deed_kill(source: Path, step: Context[Do]) -> str:
    os.kill(step.options.number, signal.SIGURG)
    return "sent"


def deed_call(source: Path, step: Context[Do]) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(step.options.number), 0, 0, 0, 0, 0)
    return os.strerror(ctypes.get_errno()) if result < 0 else "done"


def deed_raise_limits(source: Path, step: Context[Do]) -> str:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))
    except ValueError:
        return "refused"
    return "raised"


def deed_chroot(source: Path, step: Context[Do]) -> str:
    again = subprocess.run(["/usr/sbin/chroot", "/", "/bin/true"], check=False, capture_output=True)
    if again.returncode == 0:
        return "a program has root's powers"
    os.chroot("/")
    return "has root's powers"


def deed_environment(source: Path, step: Context[Do]) -> str:
    return " ".join(sorted(os.environ))


def deed_threads(source: Path, step: Context[Do]) -> str:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        done = subprocess.run(["/bin/true"], check=True)
        return f"{sum(pool.map(abs, range(-3, 0)))} {done.returncode}"


def deed_ffmpeg(source: Path, step: Context[Do]) -> str:
    import imageio_ffmpeg

    target = step.path("film.mp4")
    made = "testsrc2=duration=1:size=320x240:rate=25"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-nostdin",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        made,
    ]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "ultrafast", str(target)], check=True)
    return f"{target.stat().st_size > 1000}"


def deed_ffmpeg_reads(source: Path, step: Context[Do]) -> str:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "data", "-i"]
    done = subprocess.run(
        [*command, step.options.path, "-map", "0", "-c", "copy", "-f", "data", "-"],
        capture_output=True,
        check=False,
    )
    return "read" if done.stdout else done.stderr.decode()[-200:]


def deed_vips(source: Path, step: Context[Do]) -> str:
    import pyvips

    image = pyvips.Image.black(640, 480, bands=3).gaussblur(2)
    image.write_to_file(str(step.path("picture.webp")))
    small = pyvips.Image.thumbnail(str(step.path("picture.webp")), 100)
    return f"{small.width}"


def deed_ignore_term_and_report(source: Path, step: Context[Do]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
