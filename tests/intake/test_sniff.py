"""What a file is, from its bytes."""

import gzip
import io
import json
import sqlite3
import struct
import subprocess
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uploads.sniff import Found, sniff
from uploads.sniff_text import text_type


def found(folder: Path, name: str, data: bytes) -> tuple[str, str]:
    path = folder / "upload"
    path.write_bytes(data)
    result = sniff(path, name)
    return result.kind, result.media_type


def picture(kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("AVIF", "image/avif"),
        ("JPEG2000", "image/jp2"),
        ("ICO", "image/vnd.microsoft.icon"),
    ],
)
def test_pictures(tmp_path: Path, kind: str, media_type: str) -> None:
    # A wrong ending does not matter.
    assert found(tmp_path, "film.mp4", picture(kind)) == ("image", media_type)


def media(folder: Path, container: str, *options: str) -> bytes:
    target = folder / f"made.{container}"
    sources = [
        ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1"],
        ["-f", "lavfi", "-i", "sine=duration=1"],
    ]
    chosen = sources[1:] if "-vn" in options else sources
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    flat = [part for source in chosen for part in source]
    subprocess.run([*command, *flat, *options, str(target)], check=True, timeout=60)
    return target.read_bytes()


@pytest.mark.parametrize(
    ("container", "options", "kind", "media_type"),
    [
        ("mp4", (), "video", "video/mp4"),
        ("mov", (), "video", "video/quicktime"),
        ("mkv", (), "video", "video/x-matroska"),
        ("webm", ("-c:v", "libvpx"), "video", "video/webm"),
        ("avi", (), "video", "video/x-msvideo"),
        ("ts", (), "video", "video/mp2t"),
        ("mpg", ("-r", "25"), "video", "video/mpeg"),
        ("flv", ("-ar", "44100"), "video", "video/x-flv"),
        ("wmv", (), "video", "video/x-ms-wmv"),
        ("ogv", ("-c:v", "libtheora"), "video", "video/ogg"),
        ("mp3", ("-vn",), "audio", "audio/mpeg"),
        ("m4a", ("-vn",), "audio", "audio/mp4"),
        ("flac", ("-vn",), "audio", "audio/flac"),
        ("ogg", ("-vn", "-c:a", "libvorbis"), "audio", "audio/ogg"),
        ("opus", ("-vn",), "audio", "audio/ogg"),
        ("aac", ("-vn",), "audio", "audio/aac"),
        ("aiff", ("-vn",), "audio", "audio/aiff"),
        ("mka", ("-vn",), "audio", "audio/x-matroska"),
    ],
)
def test_films_and_sounds(
    tmp_path: Path, container: str, options: tuple[str, ...], kind: str, media_type: str
) -> None:
    data = media(tmp_path, container, *options)
    assert found(tmp_path, f"made.{container}", data) == (kind, media_type)


def test_a_wave_file(tmp_path: Path) -> None:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    assert found(tmp_path, "a", target.getvalue()) == ("audio", "audio/x-wav")


@pytest.mark.parametrize(
    ("brand", "expected"),
    [
        (b"heicmif1heic", ("image", "image/heic")),
        (b"mif1mif1heic", ("image", "image/heic")),
        (b"mif1mif1avif", ("image", "image/avif")),
        (b"isomiso2avc1", ("video", "video/mp4")),
        (b"3gp43gp4isom", ("video", "video/3gpp")),
        (b"M4A mp42isom", ("audio", "audio/mp4")),
    ],
)
def test_brands_of_iso_files(tmp_path: Path, brand: bytes, expected: tuple[str, str]) -> None:
    box = struct.pack(">I", 24) + b"ftyp" + brand[:4] + bytes(4) + brand[4:]
    assert found(tmp_path, "a", box + bytes(100)) == expected


def archive(*names: str, first: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        if first:
            made.writestr("mimetype", first)
        for name in names:
            made.writestr(name, "content")
    return target.getvalue()


OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (archive("a.txt"), ("archive", "application/zip")),
        (archive(), ("archive", "application/zip")),
        (
            archive("[Content_Types].xml", "word/document.xml"),
            ("document", OFFICE + "wordprocessingml.document"),
        ),
        (
            archive("xl/workbook.xml", "[Content_Types].xml"),
            ("document", OFFICE + "spreadsheetml.sheet"),
        ),
        (
            archive("a", first=b"application/epub+zip"),
            ("document", "application/epub+zip"),
        ),
        (
            archive("a", first=b"application/vnd.oasis.opendocument.text"),
            ("document", "application/vnd.oasis.opendocument.text"),
        ),
        (gzip.compress(b"hello"), ("archive", "application/gzip")),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), ("archive", "application/x-7z-compressed")),
        (b"%PDF-1.7\n", ("document", "application/pdf")),
        (b"\n\n%PDF-1.4\n", ("document", "application/pdf")),
        (b"PAR1" + bytes(40) + b"PAR1", ("data", "application/vnd.apache.parquet")),
        (b"ARROW1\0\0" + bytes(20), ("data", "application/vnd.apache.arrow.file")),
        (b"", ("other", "application/octet-stream")),
        (bytes(range(256)), ("other", "application/octet-stream")),
    ],
)
def test_archives_documents_and_tables(
    tmp_path: Path, data: bytes, expected: tuple[str, str]
) -> None:
    assert found(tmp_path, "a.jpg", data) == expected


def test_a_tar_from_before_it_had_a_signature(tmp_path: Path) -> None:
    header = bytearray(512)
    header[:8], header[100:107], header[124:135] = b"old.file", b"0000644", b"00000000005"
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    assert found(tmp_path, "a", bytes(header) + bytes(1024)) == ("archive", "application/x-tar")
    header[0] ^= 1
    assert found(tmp_path, "a", bytes(header) + bytes(1024))[1] != "application/x-tar"


def test_zstd_that_begins_with_a_frame_to_skip(tmp_path: Path) -> None:
    data = (
        b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"seek" + b"\x28\xb5\x2f\xfd" + bytes(9)
    )
    assert found(tmp_path, "a", data) == ("archive", "application/zstd")


def test_a_tar_and_a_database(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with tarfile.open(made, "w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert sniff(made, "a") == Found("archive", "application/x-tar")
    made.unlink()
    with sqlite3.connect(made) as database:
        database.execute("CREATE TABLE a (b)")
    database.close()
    assert sniff(made, "a") == Found("data", "application/vnd.sqlite3")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "name,age\nAnn,3\nBob,4\n", ("data", "text/csv")),
        ("a", "name;age;x\nAnn;3;1\nBob;4;2\n", ("data", "text/csv")),
        ("a", "name\tage\nAnn\t3\n", ("data", "text/tab-separated-values")),
        ("a.csv", "one column\nonly\n", ("data", "text/csv")),
        ("a", 'a,"b,c"\nd,e\n', ("data", "text/csv")),
        ("a", json.dumps({"a": [1, 2]}), ("data", "application/json")),
        ("a", "[1, 2, 3]", ("data", "application/json")),
        ("a", '{"a": 1}\n{"a": 2}\n', ("data", "application/x-ndjson")),
        ("a.txt", "Hello, world.\nThis is a letter, to you.\n", ("text", "text/plain")),
        ("a", "Just words.\nAnd more, words.\n", ("text", "text/plain")),
        ("a.md", "# Title\n", ("text", "text/markdown")),
        ("a", "WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", ("text", "text/vtt")),
        ("a", "1\n00:00:00,000 --> 00:00:01,000\nHi\n", ("text", "application/x-subrip")),
        ("a.jpg", "<!DOCTYPE html><html></html>", ("document", "text/html")),
        ("a", "<?xml version='1.0'?><a/>", ("text", "application/xml")),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts(
    tmp_path: Path, name: str, text: str, expected: tuple[str, str], encoding: str
) -> None:
    assert found(tmp_path, name, text.encode(encoding)) == expected


@pytest.mark.parametrize("name", ["holiday.mp4", "holiday.m3u8", "a.jpg", "a"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n/etc/passwd\n",
        "\ufeff#EXTM3U\n",
        "\n #EXTM3U\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
        "[playlist]\nFile1=/etc/passwd\n",
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="/x"/></svg>',
        "<MPD><BaseURL>/etc</BaseURL></MPD>",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    ],
)
def test_what_points_to_other_files_is_never_media(tmp_path: Path, name: str, text: str) -> None:
    kind, media_type = found(tmp_path, name, text.encode())
    assert kind == "text"
    assert media_type.partition("/")[0] not in {"video", "audio", "image"}


def test_a_long_text_whose_last_letter_is_cut_stays_text() -> None:
    head = ("ü" * 40_000).encode()[: 64 * 1024 - 1]
    assert text_type(head, "", whole=False) == ("text", "text/plain")


@given(st.binary(max_size=600), st.sampled_from(["a", "a.mp4", "a.csv", "a.json"]))
def test_any_bytes_get_some_kind(
    tmp_path_factory: Callable[..., object], data: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("sniff")  # type: ignore[attr-defined]
    kind, media_type = found(folder, name, data)
    assert kind in {"image", "video", "audio", "document", "data", "archive", "text", "other"}
    assert media_type.count("/") == 1
