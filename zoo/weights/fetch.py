"""From a row of data to a file on this machine: the folder of files fetched beforehand, the cache, the network.

ZOO_WEIGHTS_DIR  a folder of weight files, looked into first
ZOO_OFFLINE=1    no network

Downloads go to PyTorch's hub cache. They are written under another name, checked, and only then given their own: a
file that has its name is whole.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zoo.errors import WeightsError
from zoo.lazy import torch
from zoo.spec import Weights

__all__ = ["fetch"]

TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 20


def fetch(row: Weights) -> Path:
    """The file of a checkpoint, downloaded unless it is here already.

    Raises:
        WeightsError: it is not here and cannot be downloaded, or what came is not what was published.
    """
    if folder := os.environ.get("ZOO_WEIGHTS_DIR"):
        given = Path(folder).expanduser() / row.file_name
        if given.is_file():
            _compare(given, row)
            return given
    cached = Path(torch.hub.get_dir()) / "checkpoints" / row.file_name
    if cached.is_file():
        return cached
    if os.environ.get("ZOO_OFFLINE", "0") not in ("", "0"):
        raise _absent(row, cached, "ZOO_OFFLINE forbids the network")
    try:
        _download(row, cached)
    except (OSError, http.client.HTTPException) as error:  # of the network and of the disk
        raise _absent(row, cached, f"the download failed: {error}") from error
    return cached


def _absent(row: Weights, cached: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{row.file_name} is not on this machine ({reason}); fetch {row.url} and put it, under this name, into "
        f"{cached.parent} or into a folder that ZOO_WEIGHTS_DIR names"
    )


def _compare(given: Path, row: Weights) -> None:
    """Warns of a file that is not the published one; the person who named the folder may have meant another."""
    if _published(row):
        with given.open("rb") as file:
            found = _digest(row, _chunks(file))
        if not found.startswith(_published(row)):
            warnings.warn(
                f"{given} is not the published file: its checksum is {found}, published is {_published(row)}",
                stacklevel=2,
            )


def _download(row: Weights, target: Path) -> None:
    """Writes beside `target`, checks length and checksum, and renames: whoever stops at any moment leaves no target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{row.file_name}.", suffix=".partial")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(row.url, timeout=TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            expected = int(length) if length else None
            found = _digest(row, _kept(_shown(_chunks(answer), row.file_name, expected), file))
            received = file.tell()
        if expected is not None and received != expected:
            raise WeightsError(f"{row.url} broke off after {received} of {expected} bytes; nothing was kept, try again")
        if not found.startswith(_published(row)):
            raise WeightsError(
                f"{row.url} is not what was published: its checksum is {found}, published is {_published(row)}; "
                "nothing was kept"
            )
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _published(row: Weights) -> str:
    """The published checksum or the part of it that is known; empty where there is none."""
    return row.sha256 or row.md5


def _digest(row: Weights, chunks: Iterator[bytes]) -> str:
    """The checksum of the bytes, of the kind that is published for the row."""
    digest = hashlib.md5(usedforsecurity=False) if row.md5 and not row.sha256 else hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _kept(chunks: Iterator[bytes], file: IO[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        file.write(chunk)
        yield chunk


def _shown(chunks: Iterator[bytes], title: str, total_bytes: int | None) -> Iterator[bytes]:
    """Passes the bytes on under a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total_bytes)
        for chunk in chunks:
            progress.advance(task, len(chunk))
            yield chunk
