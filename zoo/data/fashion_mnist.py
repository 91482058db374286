"""Fashion-MNIST: 28x28 grey images of ten kinds of clothing, real and small enough to come with the package.

Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
arXiv:1708.07747. Licence: MIT, Zalando SE; see `fashion_mnist_LICENSE.txt` beside this file.

`fashion_mnist` is the embedded part: 6,000 images of the official training split and 2,000 of the official test split,
600 and 200 a class, drawn without replacement with a fixed seed; the file records the official index of each.
`fashion_mnist_full` is all 60,000 and 10,000 from a folder or, with a network, from torchvision's download.

    python -m zoo.data.fashion_mnist --from DIR

writes the embedded file again from the four official `.gz` files in DIR.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.dataset import PARTS, Data, Dataset, Facts, ungrouped
from zoo.data.pixels import Pixels
from zoo.data.places import absent, downloaded, place
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

__all__ = ["CLASSES", "EMBEDDED", "FULL", "MEAN", "SETS", "STD", "build", "read_embedded", "read_official"]

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PER_CLASS = {"train": 600, "test": 200}
FULL_SIZES = {"train": 60_000, "test": 10_000}
OFFICIAL_NAMES = {"train": "train", "test": "t10k"}
SEED = 2017  # of the draw; any number would do, this one is the year of the paper

EMBEDDED_FILE = Path(__file__).with_name("fashion_mnist.npz")
EMBEDDED_SHA256 = "29d5d013473ef361b87d55b70725a0a100f37850ec816c59fbb0a52333442b9c"

OFFICIAL_SHA256 = "d309d5b4999c63a328ae3b93c00fa2a5f8e41117a4a31dd370a9e20890d69063"  # of the arrays of all four files

# of the pixels of the 6,000 embedded training images, scaled to [0, 1]; a test recomputes them
MEAN = 0.2844
STD = 0.3524


def read_embedded(path: Path = EMBEDDED_FILE) -> Arrays:
    """The embedded arrays: images, labels and official indices of `train` and `test`; raises `DataError`."""
    import numpy as np

    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the embedded Fashion-MNIST cannot be read: {error}; install the package again") from None
    found = hashlib.sha256(content).hexdigest()
    if found != EMBEDDED_SHA256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {found}, it must be {EMBEDDED_SHA256}; install the package again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def read_official(folder: Path) -> Arrays:
    """All images and labels from the four official idx files in `folder`, compressed or not; raises `DataError`."""
    import numpy as np

    arrays: dict[str, NDArray[np.generic]] = {}
    for split, official in OFFICIAL_NAMES.items():
        size = FULL_SIZES[split]
        arrays[f"{split}_images"] = _read_idx(folder, f"{official}-images-idx3-ubyte", (size, 28, 28))
        arrays[f"{split}_labels"] = _read_idx(folder, f"{official}-labels-idx1-ubyte", (size,))
        arrays[f"{split}_indices"] = np.arange(size, dtype=np.uint16)
    return arrays


def _read_idx(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One file in Yann LeCun's idx format: two zeros, type 8 (byte), rank, big-endian sizes, the bytes."""
    import numpy as np

    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{packed} cannot be read: {error}") from None
    header = bytes((0, 0, 8, len(shape))) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header) or len(content) != len(header) + int(np.prod(shape)):
        raise DataError(f"{folder / name} is not the official file of shape {shape}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def build(official: Arrays) -> bytes:
    """The embedded file, made of the official arrays; the same bytes every time.

    Classes take turns, so that any first 10 k images hold k of each class.
    """
    import numpy as np

    # the legacy generator: its stream is frozen for all versions of NumPy
    random = np.random.RandomState(SEED)
    arrays = {}
    for split, count in PER_CLASS.items():
        labels = official[f"{split}_labels"]
        drawn = [random.permutation(np.flatnonzero(labels == label))[:count] for label in range(len(CLASSES))]
        indices = np.stack(drawn, axis=1).reshape(-1)
        arrays[f"{split}_images"] = official[f"{split}_images"][indices]
        arrays[f"{split}_labels"] = labels[indices]
        arrays[f"{split}_indices"] = indices.astype(np.uint16)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def open_embedded(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`; reads the package's own file, whatever `data_dir` is."""
    ungrouped(EMBEDDED.name, group)
    return _opened(EMBEDDED.name, read_embedded(), EMBEDDED_SHA256)


def open_full(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`; reads the official files in `data_dir`, or has torchvision download them there."""
    ungrouped(FULL.name, group)
    folder = _official_folder(data_dir) or _download(data_dir)
    arrays = read_official(folder)
    found = digest(arrays)
    if found != OFFICIAL_SHA256:
        raise DataError(
            f"{folder} does not hold the official Fashion-MNIST: the SHA-256 of its arrays is {found}, it must be "
            f"{OFFICIAL_SHA256}; fetch the four files again"
        )
    return _opened(FULL.name, arrays, found)


def digest(arrays: Arrays) -> str:
    """SHA-256 of all images and labels."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _opened(name: str, arrays: Arrays, fingerprint: str) -> Data:
    return Data(
        name=name,
        class_names=CLASSES,
        train=_split(arrays, "train"),
        test=_split(arrays, "test"),
        fingerprint=fingerprint,
        statistics=(MEAN, STD),
    )


def _split(arrays: Arrays, part: str) -> Pixels:
    import torch

    images, labels = torch.tensor(arrays[f"{part}_images"]), torch.tensor(arrays[f"{part}_labels"])
    numbers = torch.tensor(arrays[f"{part}_indices"].astype("int64"))
    return Pixels(pixels=images[:, None], labels=labels.long(), part=part, numbers=numbers, statistics=(MEAN, STD))


def _official_folder(data_dir: str) -> Path | None:
    """Where the official files are: in `data_dir` itself or where torchvision puts them below it."""
    root = place(data_dir)
    for folder in (root, root / "FashionMNIST" / "raw"):
        if any((folder / f"train-images-idx3-ubyte{suffix}").exists() for suffix in (".gz", "")):
            return folder
    return None


def _download(data_dir: str) -> Path:
    from torchvision.datasets import FashionMNIST

    wanted = "the four official files (train-images-idx3-ubyte.gz ...)"
    root = downloaded("Fashion-MNIST", data_dir, lambda folder: FashionMNIST(folder, download=True), wanted)
    return root / "FashionMNIST" / "raw"


def _never(data_dir: str) -> str | None:
    return None


SOURCE = "https://github.com/zalandoresearch/fashion-mnist"

EMBEDDED = Dataset(
    name="fashion_mnist",
    label="Fashion-MNIST",
    title="Fashion-MNIST, embedded stratified part (6,000 training and 2,000 test images)",
    source=SOURCE,
    licence="MIT",
    open=open_embedded,
    facts=lambda data_dir: Facts(len(CLASSES), *(PER_CLASS.get(part, 0) * len(CLASSES) for part in PARTS)),
    fingerprint=lambda data_dir: EMBEDDED_SHA256,
    unavailable=_never,
)

FULL = Dataset(
    name="fashion_mnist_full",
    label="Fashion-MNIST (full)",
    title="Fashion-MNIST, all images (60,000 training and 10,000 test images)",
    source=SOURCE,
    licence="MIT",
    open=open_full,
    facts=lambda data_dir: Facts(len(CLASSES), *(FULL_SIZES.get(part, 0) for part in PARTS)),
    fingerprint=lambda data_dir: OFFICIAL_SHA256,
    unavailable=absent,
)


SETS = (EMBEDDED, FULL)


def main() -> None:
    """Writes the embedded file again and prints what has to be written into this module."""
    parser = argparse.ArgumentParser(
        prog="python -m zoo.data.fashion_mnist", description="Write the embedded part of Fashion-MNIST again."
    )
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="DIR", help="folder of the four official .gz files"
    )
    parser.add_argument("--to", type=Path, default=EMBEDDED_FILE, metavar="FILE", help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        content = build(read_official(arguments.source))
    except DataError as error:
        parser.error(str(error))
    arguments.to.write_bytes(content)
    print(f"{arguments.to}: {len(content):,} bytes, EMBEDDED_SHA256 = {hashlib.sha256(content).hexdigest()!r}")


if __name__ == "__main__":
    main()
