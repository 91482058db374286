"""The one front door: whatever holds a picture, the same upright picture comes out, and anything else is refused."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.images import BACKGROUND, LONGEST_SIDE, bounded, picture

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (100, 100, 100)


def quarters(mode: str = "RGB") -> Image.Image:
    """Red, green, blue and grey, read from the upper left; wider than high."""
    image = Image.new("RGB", (12, 8))
    for place, colour in zip(((0, 0), (6, 0), (0, 4), (6, 4)), (RED, GREEN, BLUE, GREY), strict=True):
        image.paste(colour, (*place, place[0] + 6, place[1] + 4))
    return image.convert(mode)


def corners(image: Image.Image) -> list[object]:
    right, bottom = image.width - 1, image.height - 1
    return [image.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (4, 3), value)


def half_clear(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(round((part * 128 + paper * 127) / 255) for part, paper in zip(colour, BACKGROUND, strict=True))


def palette(index: int, **info: object) -> Image.Image:
    """An image of one palette entry: 0 is red, 1 green, 2 blue."""
    image = flat("P", index)
    image.putpalette([*RED, *GREEN, *BLUE])
    image.info.update(info)
    return image


def with_alpha_palette() -> Image.Image:
    image = flat("PA", 0)
    image.putpalette([*RED, *GREEN])
    image.putalpha(128)
    return image


SIXTEEN = np.full((3, 4), 100 * 257, np.uint16)

# what comes in, and the colour of each pixel that comes out
COLOURS: dict[str, tuple[Callable[[], object], tuple[int, ...]]] = {
    "1": (lambda: flat("1", 1), (255, 255, 255)),
    "L": (lambda: flat("L", 100), GREY),
    "LA": (lambda: flat("LA", (100, 128)), half_clear(GREY)),
    "La": (lambda: flat("LA", (100, 128)).convert("La"), half_clear(GREY)),
    "P": (lambda: palette(1), GREEN),
    "P, an entry clear": (lambda: palette(1, transparency=1), BACKGROUND),
    "P, another entry clear": (lambda: palette(1, transparency=0), GREEN),
    "P, entries half clear": (lambda: palette(2, transparency=bytes([255, 0, 128])), half_clear(BLUE)),
    "PA": (with_alpha_palette, half_clear(RED)),
    "RGB": (lambda: flat("RGB", (1, 2, 3)), (1, 2, 3)),
    "RGB, a colour clear": (lambda: Image.open(io.BytesIO(encoded(flat("RGB", RED), transparency=RED))), BACKGROUND),
    "L, a grey clear": (lambda: Image.open(io.BytesIO(encoded(flat("L", 7), transparency=7))), BACKGROUND),
    "RGBA": (lambda: flat("RGBA", (*RED, 128)), half_clear(RED)),
    "RGBA, clear": (lambda: flat("RGBA", (*RED, 0)), BACKGROUND),
    "RGBa": (lambda: flat("RGBA", (*RED, 128)).convert("RGBa"), half_clear(RED)),
    "RGBX": (lambda: flat("RGBX", (1, 2, 3, 0)), (1, 2, 3)),
    "CMYK": (lambda: flat("CMYK", (0, 255, 255, 0)), RED),
    "YCbCr": (lambda: flat("RGB", GREY).convert("YCbCr"), GREY),
    "HSV": (lambda: flat("HSV", (85, 255, 255)), GREEN),
    "LAB": (lambda: flat("LAB", (255, 128, 128)), (255, 255, 255)),
    "I": (lambda: flat("I", 100 * 257), GREY),
    "I;16": (lambda: flat("I;16", 100 * 257), GREY),
    "I;16L": (lambda: Image.frombytes("I;16L", (4, 3), SIXTEEN.astype("<u2").tobytes()), GREY),
    "I;16B": (lambda: Image.frombytes("I;16B", (4, 3), SIXTEEN.astype(">u2").tobytes()), GREY),
    "F up to 255": (lambda: flat("F", 100.0), GREY),
    "F up to 1": (lambda: flat("F", 100 / 255), GREY),
    "uint8, channels last": (lambda: np.full((5, 7, 3), (1, 2, 3), np.uint8), (1, 2, 3)),
    "uint8, channels first": (lambda: np.full((5, 7, 3), (1, 2, 3), np.uint8).transpose(2, 0, 1), (1, 2, 3)),
    "uint8, grey": (lambda: np.full((5, 7), 100, np.uint8), GREY),
    "uint8, one channel last": (lambda: np.full((5, 7, 1), 100, np.uint8), GREY),
    "uint8, one channel first": (lambda: np.full((1, 5, 7), 100, np.uint8), GREY),
    "uint8, grey and alpha": (lambda: np.full((5, 7, 2), (100, 128), np.uint8), half_clear(GREY)),
    "uint8, colour and alpha": (lambda: np.full((5, 7, 4), (*RED, 128), np.uint8), half_clear(RED)),
    "uint16": (lambda: np.full((5, 7, 3), 100 * 257, np.uint16), GREY),
    "float32": (lambda: np.full((5, 7, 3), 100 / 255, np.float32), GREY),
    "float64, one for white": (lambda: np.ones((5, 7, 3)), (255, 255, 255)),
    "float16": (lambda: np.full((5, 7), 100 / 255, np.float16), GREY),
    "not in order": (lambda: np.full((9, 14, 3), (1, 2, 3), np.uint8)[::-2, ::2], (1, 2, 3)),
    "tensor, channels first": (lambda: torch.full((3, 5, 7), 100, dtype=torch.uint8), GREY),
    "tensor, channels last": (lambda: torch.full((5, 7, 3), 100, dtype=torch.uint8), GREY),
    "tensor, grey": (lambda: torch.full((5, 7), 100, dtype=torch.uint8), GREY),
    "tensor, float32 with gradient": (lambda: torch.full((3, 5, 7), 100 / 255, requires_grad=True), GREY),
    "tensor, bfloat16": (lambda: torch.ones(3, 5, 7, dtype=torch.bfloat16), (255, 255, 255)),
    "tensor, uint16": (lambda: torch.full((3, 5, 7), 100 * 257, dtype=torch.uint16), GREY),
    "bytes": (lambda: encoded(flat("RGB", (1, 2, 3))), (1, 2, 3)),
    "bytearray": (lambda: bytearray(encoded(flat("RGB", (1, 2, 3)))), (1, 2, 3)),
    "opened": (lambda: io.BytesIO(encoded(flat("RGB", (1, 2, 3)))), (1, 2, 3)),
    "PNG of 16 bits": (lambda: encoded(Image.fromarray(SIXTEEN)), GREY),
    "PGM of 16 bits": (lambda: b"P5 2 1 65535\n" + np.array([100 * 257] * 2, ">u2").tobytes(), GREY),
    "TIFF of floats": (lambda: encoded(flat("F", 100 / 255), "TIFF"), GREY),
    "GIF": (lambda: encoded(flat("RGB", RED), "GIF"), RED),
    "JPEG of four inks": (lambda: encoded(flat("CMYK", (0, 0, 0, 255)), "JPEG", quality=100), (0, 0, 0)),
}


@pytest.mark.parametrize("name", COLOURS)
def test_every_way_of_holding_a_picture(name: str) -> None:
    make, colour = COLOURS[name]
    source = make()
    found = picture(source)
    assert found.mode == "RGB"
    rounding = 2 if name == "LAB" else 0  # of the colour management library
    for (least, most), part in zip(found.getextrema(), colour, strict=True):
        assert part - rounding <= least <= most <= part + rounding
    grey = picture(make(), grey=True)
    assert grey.mode == "L" and grey.size == found.size
    assert grey.getpixel((0, 0)) == found.convert("L").getpixel((0, 0))
    if isinstance(source, np.ndarray | torch.Tensor):
        assert found.size == (7, 5)


TURNED = {  # what EXIF's number says of the stored picture: how its quarters lie once it is upright
    1: (RED, GREEN, BLUE, GREY),
    2: (GREEN, RED, GREY, BLUE),
    3: (GREY, BLUE, GREEN, RED),
    4: (BLUE, GREY, RED, GREEN),
    5: (RED, BLUE, GREEN, GREY),
    6: (BLUE, RED, GREY, GREEN),
    7: (GREY, GREEN, BLUE, RED),
    8: (GREEN, GREY, RED, BLUE),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "an image"])
@pytest.mark.parametrize("orientation", [*TURNED, 0, 9, 300])
def test_pictures_stand_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "an image":
        source: object = Image.open(io.BytesIO(encoded(quarters(), exif=exif)))
    else:
        source = encoded(quarters(), kind, exif=exif, **({"quality": 100} if kind != "TIFF" else {}))
    found = picture(source)
    assert found.size == ((8, 12) if orientation in (5, 6, 7, 8) else (12, 8))
    for colour, expected in zip(corners(found), TURNED.get(orientation, TURNED[1]), strict=True):
        assert np.abs(np.subtract(colour, expected)).max() <= (90 if kind in ("JPEG", "WEBP") else 0)
    assert corners(picture(found)) == corners(found), "turned once, not again at the next door"


def test_damaged_metadata_costs_the_metadata() -> None:
    assert corners(picture(encoded(quarters(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"))) == list(TURNED[1])


def test_what_is_given_is_left_as_it_is() -> None:
    image, pixels = palette(1, transparency=1), np.full((5, 7, 3), 3, np.uint8)
    for source in (image, pixels):
        picture(source)
    assert image.mode == "P" and image.info == {"transparency": 1}
    assert (pixels == 3).all()
    plain = flat("RGB", RED)
    picture(plain).putpixel((0, 0), GREEN)
    assert plain.getpixel((0, 0)) == RED


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "none": (lambda: None, "a PIL image, a file"),
    "a list": (lambda: [[1, 2], [3, 4]], "a PIL image, a file"),
    "a number": (lambda: 3, "a PIL image, a file"),
    "a text file": (lambda: io.StringIO("text"), "cannot be read as an image"),
    "a batch": (lambda: torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "one by one"),
    "a line": (lambda: np.zeros(8, np.uint8), "got shape (8,)"),
    "no pixels": (lambda: np.zeros((0, 5, 3), np.uint8), "got shape (0, 5, 3)"),
    "an image without pixels": (lambda: Image.new("RGB", (0, 5)), "no pixels"),
    "either order": (lambda: np.zeros((3, 9, 3), np.uint8), "channels first or last; pass a PIL image"),
    "five channels": (lambda: np.zeros((5, 9, 7), np.uint8), "1 to 4 channels"),
    "int64": (lambda: np.zeros((5, 7, 3), np.int64), "numbers of type int64"),
    "bool": (lambda: np.zeros((5, 7), bool), "numbers of type bool"),
    "words": (lambda: np.full((5, 7), "a"), "numbers of type"),
    "floats up to 255": (lambda: np.full((5, 7, 3), 200.0), "from 0 to 1"),
    "floats below 0": (lambda: torch.randn(3, 8, 8), "from 0 to 1"),
    "not a number": (lambda: np.full((5, 7), np.nan), "finite values from 0 to 1"),
    "I of 32 bits": (lambda: flat("I", 70000), "from 0 to 65535"),
    "I below 0": (lambda: flat("I", -1), "from 0 to 65535"),
    "F beyond 255": (lambda: flat("F", 300.0), "from 0 to 255"),
    "F, not a number": (lambda: flat("F", float("nan")), "finite values"),
    "meta": (lambda: torch.empty(3, 8, 8, device="meta", dtype=torch.uint8), "this tensor"),
    "sparse": (lambda: torch.zeros(8, 8).to_sparse(), "this tensor"),
    "bytes of something else": (lambda: b"GIF87 or so", "no known format"),
    "no bytes": (lambda: b"", "no known format"),
    "a truncated PNG": (lambda: encoded(quarters())[:60], "cannot be read as an image"),
    "a truncated JPEG": (lambda: encoded(quarters().resize((300, 200)), "JPEG")[:900], "truncated"),
    "PostScript": (lambda: encoded(quarters(), "EPS"), "no known format"),
    "a bomb": (lambda: b"P5 60000 60000 255\n", "pixels"),
    "an absent file": (lambda: "nowhere.jpg", "nowhere.jpg cannot be read as an image: No such file"),
    "a folder": (lambda: Path("/"), "no regular file"),
    "a device": (lambda: "/dev/zero", "no regular file"),
    "a name with a zero": (lambda: "a\0b.jpg", "cannot be read as an image"),
    "a name of 10,000 letters": (lambda: "a" * 10_000, "File name too long"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_in_one_line(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(zoo.DataError) as error:
        picture(make())
    said = str(error.value)
    assert message in said
    assert len(said) <= 300 and said.isprintable()


def test_files_are_what_they_hold_whatever_they_are_called(tmp_path: Path) -> None:
    pipe, dangling, unnamed = tmp_path / "pipe.jpg", tmp_path / "dangling.png", tmp_path / "photo.txt"
    unnamed.write_bytes(encoded(quarters()))
    assert corners(picture(unnamed)) == corners(picture(str(unnamed))) == list(TURNED[1])
    with unnamed.open("rb") as file:
        assert corners(picture(file)) == list(TURNED[1])
        assert not file.closed
    os.mkfifo(pipe)
    dangling.symlink_to(tmp_path / "gone")
    for path, message in ((pipe, "no regular file"), (dangling, "No such file")):
        with pytest.raises(zoo.DataError, match=message):
            picture(path)
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    try:
        Path(os.fsdecode(odd)).write_bytes(encoded(quarters()))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert corners(picture(os.fsdecode(odd))) == list(TURNED[1])
    Path(os.fsdecode(odd)).write_bytes(b"no image")
    with pytest.raises(zoo.DataError) as error:
        picture(Path(os.fsdecode(odd)))
    str(error.value).encode("utf-8")


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v1", "xception"])
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 20_000)])
@pytest.mark.parametrize("train", [False, True])
def test_very_long_images_take_little_memory(name: str, size: tuple[int, int], train: bool) -> None:
    spec = zoo.spec(name)
    transform = zoo.preprocessing(spec, train=train)
    image = Image.new("RGB", size, RED)
    assert max(bounded(image).size) == LONGEST_SIDE * min(size)
    tensor = transform(image)
    assert tensor.shape == (3, spec.input.size, spec.input.size)
    assert torch.equal(tensor, tensor[:, :1, :1].expand_as(tensor))


@pytest.mark.parametrize("ratio", [3, LONGEST_SIDE - 1, LONGEST_SIDE + 5])
def test_what_is_left_out_was_never_seen(ratio: int) -> None:
    """The centre crop of a long image is that of its middle: ends of another colour change nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32 * ratio, 3), dtype=np.uint8)
    other = pixels.copy()
    other[:, : 32 * (ratio // 2) - 32] = other[:, 32 * (ratio // 2) + 64 :] = 0
    transform = zoo.preprocessing("resnet18")
    assert torch.equal(transform(pixels), transform(other))


def test_arrays_tensors_and_files_give_the_same_input() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    transform = zoo.preprocessing("mobilenet_v1")
    expected = transform(image)
    ways: tuple[object, ...] = (
        pixels, torch.from_numpy(pixels), torch.from_numpy(pixels).permute(2, 0, 1), pixels / 255,
        pixels.astype(np.uint16) * 257, encoded(image), encoded(image, "TIFF"), io.BytesIO(encoded(image, "BMP")),
    )  # fmt: skip
    for way in ways:
        assert torch.equal(transform(way), expected)


def test_networks_of_other_channels_take_tensors_of_them() -> None:
    model = zoo.create("mobilenet_v1:width=0.25,resolution=64", in_channels=4, device="meta")
    transform = zoo.preprocessing(model)
    assert transform(torch.zeros(4, 80, 90, dtype=torch.uint8)).shape == (4, 64, 64)
    for wrong in (quarters(), torch.zeros(3, 80, 90, dtype=torch.uint8), torch.zeros(4, 80, 90), "photo.jpg"):
        with pytest.raises(zoo.DataError, match=r"a network of 4 channels takes uint8 tensors \(4, height, width\)"):
            transform(wrong)
