"""Downloads from a server of our own: whole, checked, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import safetensors.torch
import torch

import zoo
from zoo.spec import Input, Weights
from zoo.weights import export_weights
from zoo.weights.fetch import fetch

CONTENT = safetensors.torch.save({"conv1.weight": torch.arange(1 << 19, dtype=torch.float32)})  # more than one chunk
PAGE = b"<!DOCTYPE html><html><body>Sign in to continue</body></html>"

# what a server may do wrong: status, headers besides the length, the length it announces, what it sends
LIES: dict[str, tuple[int, dict[str, str], int | None, bytes]] = {
    **{f"page/{status}": (status, {"Content-Type": "text/html"}, len(PAGE), PAGE)
       for status in (200, 201, 203, 206, 404, 403, 429, 500, 503)},
    **{f"nothing/{status}": (status, {}, 0, b"") for status in (200, 202, 204, 205)},
    **{f"no length and nothing/{status}": (status, {}, None, b"") for status in (200, 203)},
    **{f"half/{part}": (200, {}, len(CONTENT), CONTENT[: len(CONTENT) * part // 8]) for part in range(8)},
    **{f"half without a length/{part}": (200, {}, None, CONTENT[: len(CONTENT) * part // 8]) for part in range(8)},
    **{f"encoded/{name}": (200, {"Content-Encoding": name}, len(CONTENT), CONTENT)
       for name in ("gzip", "br", "deflate")},
    "zipped": (200, {}, None, gzip.compress(CONTENT[:5000])),
    "pointer": (200, {}, None, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"),
    "length/text": (200, {"Content-Length": "many"}, None, CONTENT),
    "length/negative": (200, {"Content-Length": "-5"}, None, CONTENT),
    "length/huge": (200, {"Content-Length": str(10**15)}, None, CONTENT),
    "part": (206, {"Content-Range": "bytes 0-9/100"}, 10, CONTENT[:10]),
    "another network's bytes": (200, {}, None, bytes(5000)),
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = self.path.removeprefix("/").replace("%20", " ")
        if page == "circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
            return
        if page == "mute":
            self.server.stopped.wait(20)  # type: ignore[attr-defined]
            return
        status, headers, length, content = LIES.get(page, (200, {}, len(CONTENT), CONTENT))
        if page == "absent":
            status = 404
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None and page not in ("unmeasured", "endless"):
            self.send_header("Content-Length", str(len(CONTENT) if page == "broken" else length))
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side has had enough
            self._send(page, content)

    def _send(self, page: str, content: bytes) -> None:
        if page == "broken":
            content = content[: len(content) // 2]
        self.wfile.write(content if page != "slow" else content[:1])
        while page in ("endless", "slow") and not self.server.stopped.wait(0.01):  # type: ignore[attr-defined]
            self.wfile.write(content if page == "endless" else b"x")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.stopped = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.stopped.set()  # type: ignore[attr-defined]
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def row(url: str, **checksums: str) -> Weights:
    return Weights(tag="t", source="torchvision", url=url, file_name="file.pth", input=Input(), **checksums)


@pytest.mark.parametrize(
    "checksums",
    [{}, {"sha256": hashlib.sha256(CONTENT).hexdigest()[:8]}, {"md5": hashlib.md5(CONTENT).hexdigest()}],
)
@pytest.mark.parametrize("page", ["file", "unmeasured"])
def test_a_whole_file_is_kept_under_its_name(server: str, cache: Path, checksums: dict[str, str], page: str) -> None:
    path = fetch(row(f"{server}/{page}", **checksums))
    assert path == cache / "file.pth"
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in cache.iterdir()] == ["file.pth"]


def test_progress_is_shown_beside_the_output(server: str, capfd: pytest.CaptureFixture[str]) -> None:
    fetch(row(f"{server}/file"))
    shown = capfd.readouterr()
    assert "file.pth" in shown.err
    assert shown.out == ""


def test_a_cached_file_needs_no_network(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "file.pth").write_bytes(CONTENT)
    assert fetch(row("http://127.0.0.1:1/file")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "checksums", "message"),
    [
        ("broken", {}, rf"broke off after \d+ of {len(CONTENT)} bytes"),
        ("file", {"sha256": "00000000"}, "is not what was published: its checksum is .*, published is 00000000"),
        ("file", {"md5": "0" * 32}, "is not what was published"),
        ("absent", {}, "the download failed: HTTP Error 404"),
    ],
)
def test_anything_less_is_not_kept(
    server: str, cache: Path, page: str, checksums: dict[str, str], message: str
) -> None:
    with pytest.raises(zoo.WeightsError, match=message):
        fetch(row(f"{server}/{page}", **checksums))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("page", [*LIES, "circle"])
def test_no_lie_is_kept(server: str, cache: Path, page: str) -> None:
    with pytest.raises(zoo.WeightsError) as error:
        fetch(row(f"{server}/{page.replace(' ', '%20')}"))
    assert "\n" not in str(error.value) and len(str(error.value)) <= 300
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(("page", "reason"), [("endless", "does not end"), ("slow", "too slow"), ("mute", "no answer")])
def test_no_server_takes_for_ever(
    server: str, cache: Path, page: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TIMEOUT_S", 0.3), ("PATIENCE_S", 0.3), ("SLOWEST_BYTES_S", 1e12), ("LARGEST_MB", 5.0)):
        monkeypatch.setattr(f"zoo.weights.fetch.{name}", value)
    if page == "endless":
        monkeypatch.setattr("zoo.weights.fetch.PATIENCE_S", 60.0)
    with pytest.raises(zoo.WeightsError, match=reason):
        fetch(row(f"{server}/{page}"))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("content", [b"", PAGE, CONTENT[:-8], gzip.compress(CONTENT[:99])])
def test_a_file_in_the_cache_that_is_none_is_named_and_fetched_again(
    server: str, cache: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    (cache / "file.pth").write_bytes(content)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(zoo.WeightsError, match=r"file\.pth is not on this machine \(.*"):
        fetch(row(f"{server}/file"))
    monkeypatch.delenv("ZOO_OFFLINE")
    with pytest.warns(UserWarning, match=r"file\.pth .*; it is fetched again"):
        assert fetch(row(f"{server}/file")).read_bytes() == CONTENT


def test_what_a_killed_download_left_is_swept(server: str, cache: Path) -> None:
    from zoo.partial import _machine

    cache.mkdir(parents=True)
    for left in (f".file.pth.{_machine()}-{2**22 + 1}-0a1b2c3d.partial", f".other.pth.{_machine()}-1-0a1b2c3d.partial"):
        (cache / left).write_bytes(b"half")
    fetch(row(f"{server}/file"))
    assert {entry.name for entry in cache.iterdir()} == {"file.pth", f".other.pth.{_machine()}-1-0a1b2c3d.partial"}


def test_without_h5py_the_next_source_is_loaded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setattr("zoo.weights.files.find_spec", lambda name: None)
    with pytest.raises(
        zoo.WeightsError, match=r"^mobilenetv1_100\.ra4_e3600_r224_in1k\.safetensors is not on this machine"
    ):
        zoo.create("mobilenet_v1", weights="imagenet")
    for name, weights in (("mobilenet_v1:width=0.5", "imagenet"), ("mobilenet_v1", "imagenet:keras")):
        with pytest.raises(zoo.WeightsError, match=r"needs h5py: pip install 'comparative-cnn-zoo\[keras\]'"):
            zoo.create(name, weights=weights)


def test_the_other_source_is_loaded_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.create("mobilenet_v1")
    path = tmp_path / "mobilenetv1_100.ra4_e3600_r224_in1k.safetensors"
    state = {key: tensor.contiguous() for key, tensor in export_weights(model, "timm").items()}
    safetensors.torch.save_file(state, path)
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setattr("zoo.weights.files.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="imagenet:keras .* without h5py; imagenet:timm is loaded instead"):
        loaded = zoo.create("mobilenet_v1", weights="imagenet")
    assert torch.equal(loaded.head.fc.weight, model.head.fc.weight)
    assert loaded.class_names is not None and loaded.class_names[0].startswith("tench")


def test_no_network_says_which_file_from_where_and_where_to(cache: Path) -> None:
    with pytest.raises(zoo.WeightsError) as error:
        fetch(row("http://127.0.0.1:1/path/file.pth"))
    for part in ("file.pth is not on this machine", "http://127.0.0.1:1/path/file.pth", str(cache), "ZOO_WEIGHTS_DIR"):
        assert part in str(error.value)


def test_offline_does_not_try(server: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(zoo.WeightsError, match="ZOO_OFFLINE forbids the network"):
        fetch(row(f"{server}/file"))
    assert not cache.exists()


def test_a_folder_fetched_beforehand_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.create("mobilenet_v1:width=1.25")
    folder = tmp_path / "fetched"
    folder.mkdir()
    name = "mobilenetv1_125.ra4_e3600_r224_in1k.safetensors"
    from safetensors.torch import save_file

    save_file({key: tensor.contiguous() for key, tensor in export_weights(model, "timm").items()}, folder / name)
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(folder))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for tag in ("imagenet", "imagenet:timm"):
        loaded = zoo.create("mobilenet_v1:width=1.25", weights=tag)
        assert torch.equal(loaded.head.fc.weight, model.head.fc.weight)
        assert loaded.spec.input.resize == 248
        assert loaded.spec.input.interpolation == "bicubic"


def test_a_given_file_with_another_checksum_is_loaded_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(export_weights(zoo.create("resnet18"), "torchvision"), tmp_path / "resnet18-f37072fd.pth")
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match="its checksum is .*, published is f37072fd"):
        zoo.create("resnet18", weights="imagenet")


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("mobilenet_v1", "mobilenet_1_0_224_tf.h5"),
        ("mobilenet_v1:width=0.5,resolution=160", "mobilenet_5_0_160_tf.h5"),
        ("mobilenet_v1:resolution=144", "mobilenet_1_0_160_tf.h5"),
        ("mobilenet_v1:resolution=320", "mobilenet_1_0_224_tf.h5"),
        ("mobilenet_v1:head=hidden", "mobilenetv1_100h.ra4_e3600_r224_in1k.safetensors"),
        ("googlenet:auxiliary=true", "googlenet-1378be20.pth"),
        ("resnet50", "resnet50-0676ba61.pth"),
        ("xception", "xception_weights_tf_dim_ordering_tf_kernels.h5"),
    ],
)
def test_the_variant_decides_the_file(name: str, file_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(zoo.WeightsError, match=f"^{file_name} is not on this machine"):
        zoo.create(name, weights="imagenet")


@pytest.mark.parametrize("name", ["mobilenet_v1:width=0.3", "resnet34:shortcut=pad", "vgg16_c", "vgg16:head=conv1x1"])
def test_a_variant_without_checkpoint_says_which_there_are(name: str) -> None:
    spec = zoo.spec(name)
    wanted = "imagenet:keras width=0.25" if spec.name == "mobilenet_v1" else spec.name
    with pytest.raises(zoo.WeightsError, match=f"no checkpoint 'imagenet' of '{spec.label}'.*{wanted}"):
        zoo.create(name, weights="imagenet")


def test_rows_are_data() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.spec("resnet18").weights[0].url = "elsewhere"  # type: ignore[misc]
