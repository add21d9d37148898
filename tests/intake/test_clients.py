"""Public tus clients, unmodified: tuspy, and tus-js-client by node."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tusclient.client import TusClient

from tests.intake.client import Client
from tests.intake.web import CACHE, Web

MIB = 1024 * 1024
TUS_JS = "tus-js-client@4.3.1"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(5 * MIB + 3))
    return path


def same(client: Client, location: str, path: Path) -> bool:
    received = client.http.get(location).content
    return hashlib.sha256(received).digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize("checksum", [False, True], ids=["plain", "checksum"])
def test_tuspy_uploads_in_pieces_and_resumes(client: Client, film: Path, checksum: bool) -> None:
    tus = TusClient(f"{client.web.url}/files/", headers=client.person.bearer)
    options = {"chunk_size": MIB, "upload_checksum": checksum}
    with film.open("rb") as stream:  # given a path it leaves its files open
        first = tus.uploader(file_stream=stream, **options)
        first.upload(stop_at=2 * MIB)
        assert first.url is not None
        assert client.offset(first.url) == 2 * MIB
        second = tus.uploader(file_stream=stream, url=first.url, **options)
        assert second.offset == 2 * MIB
        second.upload()
    assert same(client, first.url, film)


@pytest.fixture(scope="session")
def tus_js() -> Path:
    """Return a folder with tus-js-client, fetched once by npm."""
    folder = CACHE / "tus-js"
    if not shutil.which("npm"):
        pytest.skip("npm IS NOT THERE: tus-js-client is NOT tested against this server")
    if not (folder / "node_modules" / "tus-js-client").exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", TUS_JS],
            cwd=folder,
            capture_output=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm CAN'T FETCH {TUS_JS}: {done.stderr.decode()[-300:]}")
    return folder


SCRIPT = """
const tus = require('tus-js-client'), fs = require('fs')
const {endpoint, path, headers, cut} = JSON.parse(process.argv[1])
const seen = []
function send(extra) {
  const upload = new tus.Upload(fs.createReadStream(path), {
    endpoint, headers, chunkSize: 1 << 20, retryDelays: [0, 100, 300],
    uploadSize: fs.statSync(path).size, metadata: {filename: 'film.bin', filetype: 'x/y'},
    onShouldRetry: () => true,
    onProgress: (sent) => {
      if (cut && sent > 2 << 20 && !seen.length) {
        seen.push(sent)
        upload.abort().then(() => send({uploadUrl: upload.url}))
      }
    },
    onError: (error) => { console.error(String(error)); process.exit(1) },
    onSuccess: () => { console.log(upload.url) },
    ...extra,
  })
  upload.start()
}
send({})
"""


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_tus_js_client_uploads_and_resumes(
    client: Client, film: Path, tus_js: Path, cut: bool
) -> None:
    task = {
        "endpoint": f"{client.web.url}/files/",
        "path": str(film),
        "headers": {"Authorization": client.person.bearer["Authorization"]},
        "cut": cut,
    }
    done = subprocess.run(
        ["node", "-e", SCRIPT, json.dumps(task)],
        cwd=tus_js,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert same(client, done.stdout.strip(), film)


def test_curl_sends_a_big_file_in_one_request(web: Web, film: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not there")
    client = Client(web)
    location = client.new(film.stat().st_size)
    head = {
        **client.person.bearer,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    options = [part for name, value in head.items() for part in ("-H", f"{name}: {value}")]
    command = ["curl", "-sS", "-f", "-X", "PATCH", "-T", str(film), *options, web.url + location]
    subprocess.run(command, check=True, timeout=60)
    assert same(client, location, film)
