"""The one front door for images: whatever holds a picture becomes an upright 8-bit one, in colour or in grey.

`predict`, evaluation and training come through here, so that the same picture has the same answer whichever way it
comes. What a file is, its content says and not its ending.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import stat
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from zoo.errors import DataError, one_line, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["ACCEPTED", "BACKGROUND", "LONGEST_SIDE", "bounded", "picture", "readable_formats"]

BACKGROUND = (255, 255, 255)  # what lies under transparent pixels: paper
LONGEST_SIDE = 20  # times the shorter one, beyond which only the middle of an image is looked at
# what Pillow may take a file for: pictures, and no language that is run to draw one (EPS)
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, red-green-blue, red-green-blue and alpha
ACCEPTED = (
    "a PIL image, a file (path, bytes or opened) or one image as an array or tensor, (height, width, channels) or "
    "(channels, height, width) or (height, width), of uint8, uint16 or floats from 0 to 1"
)
ORIENTATION = 0x0112  # EXIF's tag for how the scene lies, and what sets it upright
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip

Source = Any  # see `ACCEPTED`


def picture(source: Source, *, grey: bool = False, least: int | None = None) -> Image:
    """An upright image of mode RGB, or L if `grey`, of what `ACCEPTED` names; what is given is left as it is.

    * Files and PIL images are turned as their EXIF orientation says.
    * Grey of 16 bits (I, I;16 and uint16) is divided by 257; the floats of a PIL image (F) may reach 1 or 255.
    * Transparent pixels are laid over `BACKGROUND`.

    Args:
        least: pixels of the shorter side that will do: a JPEG that has twice as many or more is decoded at a half, a
            quarter or an eighth of its size, in a fraction of the time. None for all there are.

    Raises:
        DataError: it is nothing of the kind, or cannot be read; the message says what to pass.
    """
    from PIL import Image

    if isinstance(source, Image.Image):
        return _read(source, "this image", grey)
    if isinstance(source, (str, os.PathLike)):
        return _from_file(os.fspath(source), grey, least)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decoded(io.BytesIO(source), "what these bytes hold", grey, least)
    if hasattr(source, "read"):
        return _decoded(source, f"the file {getattr(source, 'name', '')}".strip(), grey, least)
    return _read(_from_array(source), "this array", grey)


def bounded(image: Image) -> Image:
    """The middle of an image whose longer side is more than `LONGEST_SIDE` times its shorter one; any other as it is.

    The centre crop that follows sees nothing of the rest, which enlarging would make gigabytes of.
    """
    longest = LONGEST_SIDE * min(image.size)
    left, top = (max(side - longest, 0) // 2 for side in image.size)
    return image.crop((left, top, image.width - left, image.height - top)) if left or top else image


# --- files ------------------------------------------------------------------------------------------------------------


def _from_file(path: str | bytes, grey: bool, least: int | None) -> Image:
    name = os.fsdecode(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe may never end, and a device is no picture
            raise DataError(f"{name} cannot be read as an image: it is no regular file")
        with open(path, "rb") as file:
            return _decoded(file, name, grey, least)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise DataError(f"{name} cannot be read as an image: {getattr(error, 'strerror', None) or error}") from error


@cache
def readable_formats() -> list[str]:
    """Those of `FORMATS` that are readable here; HEIF where pillow-heif is installed."""
    from PIL import Image

    Image.init()
    with contextlib.suppress(Exception):  # not installed, or of another Pillow
        importlib.import_module("pillow_heif").register_heif_opener()
    return [known for known in FORMATS if known in Image.OPEN]


def _decoded(file: BinaryIO, name: str, grey: bool, least: int | None) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=readable_formats()) as image:
            if least is not None:
                image.draft(None, (least, least))  # does nothing to other formats
            return _read(image, name, grey)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{name} cannot be read as an image: its content is of no known format") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(f"{name} cannot be read as an image: {one_line(str(error), 120) or type(error).__name__}")


# --- arrays -----------------------------------------------------------------------------------------------------------


def _from_array(source: Source) -> Image:
    import numpy as np
    from PIL import Image

    pixels = _pixels(source)
    if pixels.dtype == np.uint16 or pixels.dtype.kind == "f":
        pixels = _bytes(pixels, 1 if pixels.dtype.kind == "f" else 65535, f"an image of {pixels.dtype}")
    elif pixels.dtype != np.uint8:
        raise DataError(f"an image is {ACCEPTED}; got numbers of type {pixels.dtype}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(pixels))  # its shape says grey, LA, RGB or RGBA


def _pixels(source: Source) -> NDArray[np.generic]:
    """An array (height, width) or (height, width, channels) of an array or a tensor in either order."""
    import numpy as np
    import torch

    if isinstance(source, torch.Tensor):
        try:
            tensor = source.detach().cpu()
            source = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        except (RuntimeError, TypeError, NotImplementedError) as error:  # on the meta device, sparse, quantized
            raise _unreadable("this tensor", error) from error
    if not isinstance(source, np.ndarray):
        raise DataError(f"an image is {ACCEPTED}; got {shown(source)}")
    shape = source.shape
    if source.size == 0 or source.ndim not in (2, 3):
        batch = "; pass the images of a batch one by one" if source.ndim == 4 else ""
        raise DataError(f"an image is {ACCEPTED}; got shape {shape}{batch}")
    if source.ndim == 2:
        return source
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first and last:
        raise DataError(f"shape {shape} can be read with the channels first or last; pass a PIL image instead")
    if not (first or last):
        raise DataError(f"an image has 1 to 4 channels, first or last; got shape {shape}")
    return source.transpose(1, 2, 0) if first else source


def _bytes(pixels: NDArray[np.generic], most: int, what: str) -> NDArray[np.uint8]:
    """Numbers from 0 to `most` as those from 0 to 255."""
    import numpy as np

    numbers = pixels.astype(np.float64)
    if not (np.isfinite(numbers).all() and numbers.min() >= 0 and numbers.max() <= most):
        raise DataError(f"{what} has finite values from 0 to {most}; scale it so, or pass uint8")
    return np.rint(numbers * (255 / most)).astype(np.uint8)


# --- modes ------------------------------------------------------------------------------------------------------------


def _read(image: Image, name: str, grey: bool) -> Image:
    """The pixels of an opened image, decoded, without transparency, upright, of 8 bits."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of palettes with transparency, which `_opaque` looks after
            if not (image.width and image.height):
                raise DataError(f"{name} cannot be read as an image: it has no pixels")
            flat = _opaque(image)
            turn = UPRIGHT.get(_orientation(image))
            if turn is not None:
                flat = flat.transpose(Image.Transpose[turn])
            found: Image.Image = flat.convert("L" if grey else "RGB")
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error
    return found


def _orientation(image: Image) -> int:
    """EXIF's number of how the scene lies; 1, upright, where nothing can be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged block of metadata costs the metadata
        return 1


def _opaque(image: Image) -> Image:
    """A new image of mode L or RGB, without metadata."""
    import numpy as np
    from PIL import Image

    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        pixels = np.asarray(image)
        most = 65535 if image.mode != "F" else 255 if pixels.max() > 1 else 1
        flat = Image.fromarray(_bytes(pixels, most, f"an image of mode {image.mode}"))
    elif image.mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        flat = ImageCms.profileToProfile(image, *profiles, outputMode="RGB") or image
    elif image.has_transparency_data or image.mode in ("La", "RGBa"):
        whole = image.convert("LA") if image.mode == "La" else image
        over = whole.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), over).convert("RGB")
    else:
        flat = image.convert("L" if image.mode in ("1", "L") else "RGB")
    flat.info = {}
    return flat
