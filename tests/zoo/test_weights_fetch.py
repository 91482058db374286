"""Downloads from a server of our own: whole, checked, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import zoo
from zoo.spec import Input, Weights
from zoo.weights import export_weights
from zoo.weights.fetch import fetch

CONTENT = bytes(range(256)) * 8192  # 2 MB: more than one chunk


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unmeasured":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/broken" else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
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
    (cache / "file.pth").write_bytes(b"here")
    assert fetch(row("http://127.0.0.1:1/file")).read_bytes() == b"here"


@pytest.mark.parametrize(
    ("page", "checksums", "message"),
    [
        ("broken", {}, r"broke off after \d+ of 2097152 bytes"),
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
