"""The model card beside an exported file: what it is, and how it is run without this project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.partial import replacing

if TYPE_CHECKING:
    from zoo.exporting.facts import Facts
    from zoo.spec import ModelSpec

__all__ = ["card_beside", "lines_to_run", "write_card"]

RESAMPLING = {"bilinear": "BILINEAR", "bicubic": "BICUBIC"}


def card_beside(path: Path) -> Path:
    """The card that belongs to a file."""
    return path.with_suffix(".md")


def write_card(path: Path, facts: Facts, spec: ModelSpec, given: Mapping[str, Any]) -> None:
    """Writes the card; `given` has further facts by their title."""
    with replacing(card_beside(path)) as part:
        part.write_text("\n".join(_card(path, facts, spec, given)) + "\n", encoding="utf-8")


def lines_to_run(name: str, facts: Facts) -> str:
    """A program for ONNX Runtime, NumPy and Pillow alone, that prints the class of a photograph."""
    images = facts.input
    mode = "L" if facts.in_channels == 1 else "RGB"
    longer = "round({} * scale)" if images.rounding == "keras" else "int({} * {} / min(image.size))"
    sizes = [longer.format(f"image.{side}", images.resize) for side in ("width", "height")]
    margin = "({} - {}) // 2" if images.rounding == "keras" else "round(({} - {}) / 2)"
    left, top = (margin.format(f"image.{side}", images.size) for side in ("width", "height"))
    lines = [
        "import json, sys, numpy, onnxruntime",
        "from PIL import Image, ImageOps",
        f"image = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert({mode!r})",
        *([f"scale = {images.resize} / min(image.size)"] if images.rounding == "keras" else []),
        f"image = image.resize(({sizes[0]}, {sizes[1]}), Image.Resampling.{RESAMPLING[images.interpolation]})",
        f"left, top = {left}, {top}",
        f"image = image.crop((left, top, left + {images.size}, top + {images.size}))",
    ]
    if facts.preprocessing:
        lines.append(f"x = numpy.asarray(image).reshape({images.size}, {images.size}, -1)")
    else:
        scaled = f"numpy.asarray(image, numpy.float32).reshape({images.size}, {images.size}, -1) / 255"
        lines.append(f"x = ({scaled} - {_array(images.mean)}) / {_array(images.std)}")
    kind = "uint8" if facts.preprocessing else "float32"
    lines += [
        f"x = x.transpose(2, 0, 1)[None].astype(numpy.{kind})"
        + ("" if facts.batch_size in (None, 1) else f".repeat({facts.batch_size}, axis=0)"),
        f"session = onnxruntime.InferenceSession({name!r})",
        f"best = int(session.run(None, {{{facts.input_name!r}: x}})[0][0].argmax())",
        "names = session.get_modelmeta().custom_metadata_map.get('class_names', '').splitlines()",
        "print(best, names[best] if names else '')",
    ]
    return "\n".join(lines)


def _array(values: tuple[float, ...]) -> str:
    return f"numpy.array({[float(value) for value in values]}, numpy.float32)"


def _card(path: Path, facts: Facts, spec: ModelSpec, given: Mapping[str, Any]) -> Iterator[str]:
    size = sum(each.stat().st_size for each in (path, path.with_suffix(".bin")) if each.suffix != ".bin" or (
        facts.format == "openvino" and each.exists()))  # fmt: skip
    found = facts.agreement
    rows = {
        "Network": f"{spec.title} ({facts.model}), {spec.paper.authors}, {spec.paper.year}",
        "Weights": f"hash {facts.weights}",
        "Precision": facts.precision,
        "Size": f"{size / 1e6:.2f} MB",
        "Input": f"`{facts.input_name}`, {facts.batch_size or 'any number'} x {facts.in_channels} x "
        f"{facts.input.size} x {facts.input.size}",
        "Output": f"`{facts.output_name}`, {facts.num_classes} classes, "
        + ("named in the file" if facts.class_names else "whose names are not known"),
        "Photographs": f"upright by EXIF, shorter side to {facts.input.resize} ({facts.input.interpolation}, "
        f"antialiased), central {facts.input.size}",
        "Accuracy": "not handed in; zoo evaluate counts it",
        "Latency": "not handed in",
        "Licence of the weights": "unknown",
        **given,
    }
    if facts.precision == "int8":
        rows["Same first answer as fp32"] = f"{found['top1']:.1%} of {found['images']} images of {found['source']}"
        rows["Calibrated on"] = f"{found['calibration_images']} images of {found['calibration_source']}"
        rows["Measured on"] = f"{found['instructions']}; made for: {facts.target}"
        rows["Layers in fp32"] = ", ".join(found["kept_fp32"]) or "none"
        if facts.target == "vnni" or "7-bit" not in str(found.get("way")):
            rows["Elsewhere"] = (
                "weights of 8 bits: on an x86 processor without VNNI sums may be cut off and answers worse"
            )
    yield f"# {path.name}"
    yield ""
    yield "| | |"
    yield "|:--|:--|"
    yield from (f"| {_cell(title)} | {_cell(value)} |" for title, value in rows.items())
    if facts.format == "onnx":
        yield ""
        yield "With onnxruntime, numpy and Pillow alone, `python run.py PHOTOGRAPH` prints the class:"
        yield ""
        yield "```python"
        yield lines_to_run(path.name, facts)
        yield "```"


def _cell(value: object) -> str:
    """Text that stays in its cell."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
