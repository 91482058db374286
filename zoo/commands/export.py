"""`zoo export`: a trained network as a file for ONNX Runtime or OpenVINO, with a card that says how to run it."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import zoo
from zoo.commands.words import split_of, training_of
from zoo.data import DATASETS
from zoo.data.dataset import Data
from zoo.printing import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="which model; a file that zoo.save_weights wrote says it")
    parser.add_argument("--weights", metavar="SOURCE", help="a file, imagenet or imagenet:TAG (with --model)")
    parser.add_argument("--output", metavar="FILE", help="default the model's name in this folder")
    parser.add_argument("--format", default="onnx", choices=("onnx", "openvino"), help="default onnx")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "fp16", "int8"), help="default fp32")
    parser.add_argument("--calibration", metavar="DATA", help="folder or data set whose training images int8 is made "
                        "with; default the data set of the zoo that the file was trained on")  # fmt: skip
    parser.add_argument("--data-dir", default="", metavar="DIR", help="where a named data set lies")
    parser.add_argument("--target", default="here", choices=("here", "vnni", "any"), help="processors int8 is for")
    parser.add_argument("--img-size", type=int, metavar="N", help="side of the images; default the network's own")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images a call; default any number")
    parser.add_argument("--preprocessing", action="store_true", help="scaling, mean and deviation inside: uint8 comes")
    parser.add_argument("--softmax", action="store_true", help="probabilities go out")
    parser.add_argument("--opset", type=int, metavar="N", help="of ONNX")
    parser.add_argument("--keep-fp32", default="", metavar="LAYERS", help="comma list of layers that stay in fp32")
    parser.add_argument("--slower", action="store_true", help="write int8 although it is slower than fp32")


def run(given: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        warnings.filterwarnings("always", module=r"zoo\.")
        warnings.showwarning = lambda message, *_, **__: _say(str(message))
        model = _network(given)
        training = training_of(given.weights)
        calibration = _calibration(given, training)
        suffix = ".xml" if given.format == "openvino" else ".onnx"
        target = Path(given.output or f"{model.spec.name}-{given.precision}{suffix}")
        try:
            agreement = zoo.export(
                model, target, format=given.format, precision=given.precision, calibration=calibration,
                size=given.img_size, batch_size=given.batch_size, target=given.target,
                preprocessing=given.preprocessing, softmax=given.softmax, opset=given.opset, slower=given.slower,
                keep_fp32=tuple(filter(None, given.keep_fp32.split(","))), card=_facts(given, model, training),
                trained_on=training.get("data") or _seen(calibration),
            )  # fmt: skip
        except (zoo.RuntimeUnavailable, OSError) as error:
            _say(str(error))
            return 1
    print(f"written: {printable(str(target))}, {target.stat().st_size / 1e6:.2f} MB; {printable(agreement.words)}")
    speed = agreement.facts.get("speed_up")
    if speed:
        print(f"{speed:.2f} times as fast as fp32 in the same runtime; {agreement.facts['instructions']}")
    print(f"card: {printable(str(target.with_suffix('.md')))}")
    return 0


def _network(given: argparse.Namespace) -> zoo.Classifier:
    if given.model is not None:
        if given.weights is None:
            _say("no --weights: the file holds a network that nobody has trained")
        return zoo.create(given.model, weights=given.weights).eval()
    if given.weights is None or given.weights.partition(":")[0] == "imagenet":
        raise zoo.WeightsError("name a file with --weights, or a model with --model")
    return zoo.load(given.weights).eval()


def _calibration(given: argparse.Namespace, training: dict[str, object]) -> object:
    """The data that is named, split as it was for the training: nothing held out is calibrated on."""
    trained_on = training.get("data")
    data = trained_on if isinstance(trained_on, dict) else {}
    name = data.get("name")
    source = given.calibration
    unnamed = source is None and given.precision == "int8" and isinstance(name, str) and name in DATASETS
    if unnamed:
        source = name
    if source is None or source == "noise":
        return source
    found = zoo.open_data(source, data_dir=given.data_dir, **split_of(data))
    if unnamed and found.fingerprint != data.get("fingerprint"):
        raise zoo.DataError(
            f"{name} is not what the file was trained on, only called so; name its training images with --calibration"
        )
    return found


def _seen(calibration: object) -> dict[str, object]:
    """What a file of untold origin has seen: the data it is calibrated on."""
    if not isinstance(calibration, Data):
        return {}
    return {"name": calibration.name, "fingerprint": calibration.fingerprint, "split": dict(calibration.split)}


def _facts(given: argparse.Namespace, model: zoo.Classifier, training: dict[str, object]) -> dict[str, str]:
    """What is known of the weights, for the card: their data from the file's own record, their licence from the zoo."""
    from zoo.weights.sources import published

    facts = {}
    data = training.get("data")
    if isinstance(data, dict):
        name = str(data.get("name", "unknown"))
        facts["Trained on"] = f"{name} (images: {DATASETS[name].licence})" if name in DATASETS else name
    row = published(model.spec, given.weights) if given.weights is not None and not training else None
    if row is not None:
        facts |= {"Weights from": row.url, "Licence of the weights": row.licence}
    return facts


def _say(text: str) -> None:
    print(f"zoo export: {printable(text)}", file=sys.stderr, flush=True)
