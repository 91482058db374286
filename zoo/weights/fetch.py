"""From a row of data to a file on this machine: the folder of files fetched beforehand, the cache, the network.

ZOO_WEIGHTS_DIR  a folder of weight files, looked into first
ZOO_OFFLINE=1    no network

Downloads go to PyTorch's hub cache. They are written under another name, checked, and only then given their own: a
file that has its name is whole. One that is not (an earlier program wrote it) is named and fetched again.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zoo.errors import WeightsError
from zoo.lazy import torch
from zoo.partial import replacing
from zoo.spec import Weights
from zoo.weights.files import read
from zoo.weights.stored import short

__all__ = ["fetch"]

TIMEOUT_S = 30.0  # for a server to answer, and between two pieces
PATIENCE_S = 300.0  # for a whole file, and as much again for each SLOWEST_BYTES_S of it
SLOWEST_BYTES_S = 50_000
LARGEST_MB = 700.0  # where no size is published
TOO_LARGE = 1.5  # times the published size; it is often rounded
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
    broken = _broken(cached)
    if cached.is_file() and not broken:
        return cached
    if os.environ.get("ZOO_OFFLINE", "0") not in ("", "0"):
        raise _absent(row, cached, broken or "ZOO_OFFLINE forbids the network")
    if broken:
        warnings.warn(f"{broken}; it is fetched again", stacklevel=2)
    try:
        _download(row, cached)
    except (OSError, ValueError, http.client.HTTPException) as error:  # of the network and of the disk
        raise _absent(row, cached, f"the download failed: {error}") from error
    return cached


def _broken(path: Path) -> str:
    """Why a file cannot be what was published; empty if nothing speaks against it."""
    if not os.path.lexists(path):
        return ""
    try:
        read(path)
    except WeightsError as error:
        return str(error)
    return ""


def _absent(row: Weights, cached: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{row.file_name} is not on this machine ({reason[:70]}); put {row.url} under this name into "
        f"{short(cached.parent)} or into a folder that ZOO_WEIGHTS_DIR names"
    )


def _compare(given: Path, row: Weights) -> None:
    """Warns of a file that is not the published one; the person who named the folder may have meant another."""
    if _published(row):
        with given.open("rb") as file:
            found = _digest(row, iter(lambda: file.read(CHUNK_BYTES), b""))
        if not found.startswith(_published(row)):
            warnings.warn(
                f"{given} is not the published file: its checksum is {found}, published is {_published(row)}",
                stacklevel=2,
            )


def _download(row: Weights, target: Path) -> None:
    """Writes beside `target`, checks all that can be checked, and renames: at no moment is there half a target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    limit = int(1e6 * (row.size_mb * TOO_LARGE if row.size_mb else LARGEST_MB))
    deadline = time.monotonic() + PATIENCE_S + limit / SLOWEST_BYTES_S
    with replacing(target) as partial:
        with partial.open("wb") as file, _answer(row.url) as answer:
            expected = _length(row, answer, limit)
            pieces = _pieces(answer, row.url, limit, deadline)
            found = _digest(row, _kept(_shown(pieces, row.file_name, expected), file))
            received = file.tell()
        if expected is not None and received != expected:
            raise WeightsError(f"{row.url} broke off after {received} of {expected} bytes; nothing was kept, try again")
        if not found.startswith(_published(row)):
            raise WeightsError(
                f"{row.url} is not what was published: its checksum is {found}, published is {_published(row)}; "
                "nothing was kept"
            )
        if not _published(row) and (reason := _broken(partial)):
            came = reason.removeprefix(short(partial)).strip()
            raise WeightsError(f"what came from {row.url} {came}; nothing was kept")


def _answer(url: str) -> Any:
    """A server's answer, whose first lines must come within TIMEOUT_S."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(url, timeout=TIMEOUT_S))
        except Exception as error:
            answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)  # a server may send its first lines byte by byte, without end
    asking.start()
    asking.join(TIMEOUT_S)
    answer = answers[0] if answers else TimeoutError()
    if isinstance(answer, TimeoutError) or isinstance(getattr(answer, "reason", None), TimeoutError):
        raise TimeoutError(f"no answer within {TIMEOUT_S:g} s")
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()  # it is an answer too, whose page nobody reads
    if isinstance(answer, Exception):
        raise answer
    return answer


def _length(row: Weights, answer: Any, limit: int) -> int | None:
    """The length that a server announces, if what it answers can be the file."""
    if answer.status != 200:
        raise WeightsError(f"{row.url} answers with status {answer.status}; nothing was kept")
    if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
        raise WeightsError(f"{row.url} comes encoded as {encoding[:20]}, which was not asked for; nothing was kept")
    text = answer.headers.get("Content-Length")
    length = int(text) if text else None
    if length is not None and not 0 < length <= limit:
        raise WeightsError(f"{row.url} announces {length:,} bytes, at most {limit:,} are plausible; nothing was kept")
    return length


def _pieces(answer: Any, url: str, limit: int, deadline: float) -> Iterator[bytes]:
    """What comes, until all has come or too much or too late."""
    received = 0
    while piece := answer.read1(CHUNK_BYTES):
        received += len(piece)
        if received > limit:
            raise WeightsError(f"{url} does not end: {limit:,} bytes are plausible; nothing was kept")
        if time.monotonic() > deadline:
            raise WeightsError(f"{url} is too slow: {received:,} bytes came within the time for all; nothing was kept")
        yield piece


def _published(row: Weights) -> str:
    """The published checksum or the part of it that is known; empty where there is none."""
    return row.sha256 or row.md5


def _digest(row: Weights, pieces: Iterator[bytes]) -> str:
    """The checksum of the bytes, of the kind that is published for the row."""
    digest = hashlib.md5(usedforsecurity=False) if row.md5 and not row.sha256 else hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _kept(pieces: Iterator[bytes], file: IO[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        file.write(piece)
        yield piece


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
