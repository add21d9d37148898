"""A MariaDB on a port of its own for one test module, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.asked import READER, SECRET
from tests.support.server import free_port, wait_until

START_SECONDS = 60
MISSING = "MariaDB's server programs (mariadbd, mariadb-install-db) were not found."
SETUP = f"""
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id BIGINT UNSIGNED, day DATE, city VARCHAR(40), amount DECIMAL(10, 2), raw BLOB);
INSERT INTO orders SELECT seq, '2024-02-29', IF(seq % 2, 'Porto', NULL), seq / 4, x'00ff' FROM seq_1_to_1000;
CREATE TABLE hidden (secret TEXT);
CREATE USER '{READER}'@'%' IDENTIFIED BY '{SECRET}';
GRANT SELECT ON shop.orders TO '{READER}'@'%';
CREATE USER 'boss'@'%' IDENTIFIED BY '{SECRET}';
GRANT ALL ON *.* TO 'boss'@'%';
"""


@contextmanager
def mariadb_server(*options: str) -> Iterator[int | None]:
    """Start one, with more options if wanted, and give its port; None where programs are missing."""
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if program is None or install is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="tmmy-", dir="/tmp"))
    port = free_port()
    user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', '')}"]
    common = ["--no-defaults", f"--datadir={folder}/data", *user]
    subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
    )
    setup = folder / "setup.sql"
    setup.write_text(SETUP)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *common, f"--socket={folder}/s", f"--port={port}", "--bind-address=127.0.0.1",
             "--skip-name-resolve", f"--init-file={setup}", "--innodb-flush-log-at-trx-commit=0", *options],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(port, folder / "log", process)
        yield port
    finally:
        process.kill()
        process.wait(START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, log: Path, process: "subprocess.Popen[bytes]") -> None:
    import pymysql

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(pymysql.MySQLError):
            pymysql.connect(
                host="127.0.0.1", port=port, user=READER, password=SECRET, database="shop"
            ).close()
            return True
        return False

    wait_until(answers, START_SECONDS, log.read_text)
