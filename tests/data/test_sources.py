"""A file is the published one or it is not there: downloads, mirrors, checksums, cut replies."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from infounlearn.data import Source, data_folder, fetch, load_mnist
from infounlearn.data.mnist import SOURCES, read_idx
from infounlearn.errors import InputError

CONTENT = bytes(range(256)) * 3000


class _Site(BaseHTTPRequestHandler):
    """/whole gives the file, /short promises more than it sends, anything else is absent."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/short"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:1000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Source]]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}/"

        def source(*pages: str, digest: str = hashlib.sha256(CONTENT).hexdigest()) -> Source:
            return Source("set", "file.bin", digest, tuple(base + page for page in pages))

        yield source
        server.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_download_reports_progress_and_is_kept(site: Callable[..., Source], tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(site("whole"), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "set" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert files(tmp_path) == ["file.bin"]
    assert len(seen) > 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(site("absent"), tmp_path) == path  # present: no address is asked


def test_local_file_address(tmp_path: Path) -> None:
    original = tmp_path / "original.bin"
    original.write_bytes(CONTENT)
    source = Source("set", "file.bin", hashlib.sha256(CONTENT).hexdigest(), (original.as_uri(),))
    assert fetch(source, tmp_path / "home").read_bytes() == CONTENT


def test_the_mirror_is_asked_when_the_first_address_fails(
    site: Callable[..., Source], tmp_path: Path
) -> None:
    assert fetch(site("absent", "short", "whole"), tmp_path).read_bytes() == CONTENT
    assert files(tmp_path) == ["file.bin"]


def test_a_truncated_reply_leaves_nothing(site: Callable[..., Source], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"cut short after 1000 of {len(CONTENT)} bytes"):
        fetch(site("short"), tmp_path)
    assert files(tmp_path) == []


def test_a_wrong_checksum_names_file_expected_and_found(
    site: Callable[..., Source], tmp_path: Path
) -> None:
    found = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(InputError) as caught:
        fetch(site("whole", digest="0" * 64), tmp_path)
    assert all(word in str(caught.value) for word in ("file.bin", "0" * 64, found))
    assert files(tmp_path) == []


def test_a_damaged_file_is_refused_and_left_alone(
    site: Callable[..., Source], tmp_path: Path
) -> None:
    path = tmp_path / "set" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError) as caught:
        fetch(site("whole"), tmp_path)
    found = hashlib.sha256(CONTENT[:-1]).hexdigest()
    assert all(word in str(caught.value) for word in (str(path), found, site().sha256))
    assert path.read_bytes() == CONTENT[:-1]


def test_without_a_network_the_message_says_where_to_put_the_file(tmp_path: Path) -> None:
    source = Source("set", "file.bin", "0" * 64, ("http://127.0.0.1:9/x", "http://127.0.0.1:9/y"))
    with pytest.raises(InputError) as caught:
        fetch(source, tmp_path)
    where = str(tmp_path / "set" / "file.bin")
    assert all(word in str(caught.value) for word in (where, "/x", "/y", "INFOUNLEARN_DATA"))


def test_a_folder_that_cannot_be_made_is_one_clear_error(
    site: Callable[..., Source], tmp_path: Path
) -> None:
    (tmp_path / "set").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="could not be downloaded"):
        fetch(site("whole"), tmp_path)


def test_data_folder_prefers_argument_then_variable_then_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INFOUNLEARN_DATA", str(tmp_path / "variable"))
    assert data_folder(tmp_path / "argument") == tmp_path / "argument"
    assert data_folder() == tmp_path / "variable"
    monkeypatch.delenv("INFOUNLEARN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert data_folder() == tmp_path / "infounlearn"


def test_addresses_of_mnist_are_https_and_carry_their_file_name() -> None:
    assert len(SOURCES) == 4
    for source in SOURCES.values():
        assert len(source.urls) == 2
        for url in source.urls:
            assert url.startswith("https://")
            assert url.endswith("/" + source.file)


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


def test_idx_round_trip(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 3, 2), dtype=np.uint8)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(array)))
    assert (read_idx(path, (5, 3, 2)).numpy() == array).all()


def packed(content: bytes) -> bytes:
    """gzip without the time, which would give a test another name in each worker."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((5, 3), np.uint8)), "cannot be unpacked"),
        (packed(idx(np.zeros((5, 3), np.uint8)))[:-9], "cannot be unpacked"),
        (packed(idx(np.zeros((5, 4), np.uint8))), "the header is"),
        (packed(b"\0\0\x0d\2" + idx(np.zeros((5, 3), np.uint8))[4:]), "the header is"),
        (packed(idx(np.zeros((5, 3), np.uint8))[:-1]), "14 values instead of 15"),
        (packed(b""), "the header is"),
    ],
)
def test_idx_refuses(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(path, (5, 3))


def test_mnist_without_files_or_network_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offline = {
        part: Source(source.folder, source.file, source.sha256, ("http://127.0.0.1:9/",))
        for part, source in SOURCES.items()
    }
    monkeypatch.setattr("infounlearn.data.mnist.SOURCES", offline)
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz is not at"):
        load_mnist(tmp_path)
