"""Oxford 102 Flowers: photographs of flowers of the United Kingdom, ten a class to train on and ten to choose by.

Source: Nilsback and Zisserman, "Automated Flower Classification over a Large Number of Classes", ICVGIP 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import PARTS, Data, Dataset, Facts, ungrouped
from zoo.data.photographs import Files, Photographs
from zoo.data.places import absent, downloaded, place
from zoo.errors import DataError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FLOWERS102", "SETS"]

BELOW = "flowers-102"  # the folder that the download makes
LABELS, PARTITION = "imagelabels.mat", "setid.mat"
KEYS = {"train": "trnid", "val": "valid", "test": "tstid"}
FACTS = Facts(102, 1_020, 1_020, 6_149)
ARCHIVE = "52808999861908f626f3c1f4e79d11fa"  # MD5 of the photographs' archive, 102flowers.tgz


def open_flowers(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`."""
    from torchvision.datasets import Flowers102

    ungrouped(FLOWERS102.name, group)
    wanted = f"{BELOW} with jpg, {LABELS} and {PARTITION}"
    root = _local(data_dir) or (
        downloaded("Flowers 102", data_dir, lambda into: Flowers102(into, download=True), wanted) / BELOW
    )
    labels, partition = _table(root / LABELS), _table(root / PARTITION)
    parts = {part: _photographs(root, labels, partition, part) for part in PARTS}
    return Data(
        name=FLOWERS102.name,
        class_names=tuple(Flowers102.classes),
        train=parts["train"],
        val=parts["val"],
        test=parts["test"],
        fingerprint=ARCHIVE,
    )


def _local(data_dir: str) -> Path | None:
    """Where the files are: in the folder that is named or in the download's below it."""
    root = place(data_dir)
    wanted = (LABELS, PARTITION, "jpg")
    return next((found for found in (root, root / BELOW) if all((found / name).exists() for name in wanted)), None)


def _table(file: Path) -> dict[str, Any]:
    """One of MATLAB's files; raises `DataError`."""
    import scipy.io

    read: Callable[..., dict[str, Any]] = scipy.io.loadmat
    try:
        return read(file, squeeze_me=True)
    except Exception as error:  # of the reader, whatever a damaged file makes it trip over
        raise DataError(f"{file} cannot be read: {one_line(str(error), 100)}; fetch it again") from None


def _photographs(root: Path, labels: dict[str, Any], partition: dict[str, Any], part: str) -> Photographs:
    import numpy as np
    import torch

    try:
        numbers: NDArray[np.int64] = np.atleast_1d(partition[KEYS[part]]).astype(np.int64)  # images and classes from 1
        chosen = np.atleast_1d(labels["labels"]).astype(np.int64)[numbers - 1] - 1
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise DataError(f"{root} does not hold the official {LABELS} and {PARTITION}: {error}; fetch them") from None
    files = Files.listed(str(root), (f"jpg/image_{number:05d}.jpg" for number in numbers))
    return Photographs(files=files, labels=torch.from_numpy(chosen))


FLOWERS102 = Dataset(
    name="flowers102",
    label="Flowers 102",
    title="Oxford 102 Flowers (1,020 training, 1,020 validation and 6,149 test images)",
    source="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    licence="none stated; see the source",
    open=open_flowers,
    facts=lambda data_dir: FACTS,
    fingerprint=lambda data_dir: ARCHIVE,
    libraries=("torchvision", "pillow"),
    unavailable=absent,
)

SETS = (FLOWERS102,)
