"""Accuracy on real images: of networks trained here, or of trained weights as they are."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import zoo
from benchmarks.metrics.beginnings import (
    DEFAULT,
    FOR_WEIGHTS,
    identity,
    is_kept,
    own_header,
    recipe_of,
    split_of,
    usual_recipe,
)
from benchmarks.metrics.metric import Column, Metric
from benchmarks.metrics.sessions import in_pytorch, session_of
from benchmarks.metrics.together import is_shared, together
from benchmarks.metrics.trained import MISTAKE, balanced_of, curve_of, mistakes_of, network_bytes, output_of, train
from benchmarks.records.predictions import is_packed, pack
from benchmarks.records.record import FULL, INTEGERS, PLAIN, Case, Measurement
from benchmarks.records.shapes import ABSENT, Shape, is_json
from zoo.data import DATASETS
from zoo.data.dataset import matched
from zoo.data.imagenet import IMAGENET
from zoo.data.likeness import with_look_alikes
from zoo.spec import resized
from zoo.training.devices import PRECISIONS, keep_freed_memory
from zoo.training.evaluation import TOP, held_out, wilson
from zoo.training.recipes import Recipe
from zoo.training.start import pretrained, untrained
from zoo.weights.matching import LAYOUTS
from zoo.weights.sources import locate

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Data

__all__ = ["METRIC", "TOP1", "given", "label_order", "network_of", "origin", "trained"]

MOST_NAMES = 200  # of classes that are all written down; of more, those that occur
Start = Callable[[Case, "Data", Recipe], "tuple[zoo.Classifier, Data, list[str]]"]


def complete(case: Case) -> Case:
    """What is left open, by the recipe or by the weights; images and weights become what identifies them.

    Weights whose classes are those of the images are tested as they are, unless a recipe is named; others are
    fine-tuned. Weights as they are answer on every runtime and in every precision that is asked for; a network that is
    trained is tested in PyTorch, whatever runtimes are timed.
    """
    spec = zoo.spec(case.model)
    usual = IMAGENET.name if case.weights_path and not case.recipe else DEFAULT
    name = DATASETS[case.dataset or usual].name
    case = dataclasses.replace(
        case,
        dataset=name,
        data=DATASETS[name].fingerprint(case.data_dir)[:16],
        weights=identity(spec, case.weights_path) if case.weights_path else "",
        num_threads=0,
        train_threads=case.train_threads or case.num_threads,
        train_processes=case.train_processes if case.train_processes > 1 else 0,
    )
    header = own_header(case)
    size = header.input.size if header is not None else spec.input.size
    case = dataclasses.replace(case, recipe=case.recipe or usual_recipe(case))
    if not case.recipe:
        return dataclasses.replace(
            case,
            img_size=case.img_size or size,
            epochs=0, train_images=0, train_img_size=0, train_threads=0, train_processes=0, seed=0,
        )  # fmt: skip
    chosen = recipe_of(case)
    wanted = chosen.img_size if chosen is not None else None
    return dataclasses.replace(
        case,
        runtime=PLAIN,
        img_size=0,
        epochs=case.epochs or (chosen.epochs if chosen is not None else 0),
        train_images=case.train_images or DATASETS[name].facts(case.data_dir).train_images,
        train_img_size=case.train_img_size or case.img_size or max(wanted or size, spec.input.min_size),
    )


def unavailable(case: Case) -> str | None:
    """See `Metric.unavailable`."""
    spec = zoo.spec(case.model)
    if case.weights_path:
        try:
            locate(spec, case.weights_path)
        except zoo.WeightsError as error:
            return str(error)
    reason = DATASETS[case.dataset].unavailable(case.data_dir)
    if reason is not None:
        return reason
    train_images = DATASETS[case.dataset].facts(case.data_dir).train_images
    if case.recipe and not train_images:
        return f"{case.dataset} holds no images to train on; --weights with their classes can be tested on it"
    if case.recipe and recipe_of(case) is None:
        return f"the paper of {spec.name} prints no recipe that is known here; name another with --recipe"
    if case.train_images > train_images:
        return f"{case.dataset} has {train_images:,} training images; {case.train_images:,} were asked for"
    if case.recipe.partition(":")[0] in FOR_WEIGHTS and not case.weights:
        return f"recipe {case.recipe} begins with trained weights; name them with --weights, or --recipe scratch"
    if case.precision not in PRECISIONS and case.recipe:
        return f"networks are trained in {', '.join(PRECISIONS)}, not {case.precision}; test one with --weights"
    if case.precision == INTEGERS and not train_images:
        return f"{case.dataset} holds no training images, and int8 is calibrated on no others"
    return None


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """Top-1 and top-5 with every answer, and how the network came by them."""
    if is_shared(subject.case):
        return together(subject, measure)
    _reproducible()
    if not subject.case.recipe:
        return _of_weights(subject)
    return _of_training(subject, _from_weights if subject.case.weights else _from_scratch)


def _from_scratch(case: Case, data: Data, chosen: Recipe) -> tuple[zoo.Classifier, Data, list[str]]:
    """A network as its paper starts it."""
    return untrained(zoo.spec(case.model), data, chosen, seed=case.seed, device=case.device), data, []


def _from_weights(case: Case, data: Data, chosen: Recipe) -> tuple[zoo.Classifier, Data, list[str]]:
    """A network with trained weights; one whose file says all of it as the file says it."""
    name = case.model if own_header(case) is None else None
    return pretrained(name, case.weights_path, data, chosen, seed=case.seed, device=case.device)


def network_of(subject: Subject) -> tuple[zoo.Classifier, Data, dict[str, Any]]:
    """The network of a case, trained or with its weights as they are, the data it is tested on, how it came about."""
    _reproducible()
    if not subject.case.recipe:
        return given(subject)
    model, data, _, details = trained(subject, _from_weights if subject.case.weights else _from_scratch)
    return model, data, details


def trained(subject: Subject, start: Start) -> tuple[zoo.Classifier, Data, zoo.Training, dict[str, Any]]:
    """A network that is trained as its case says, the data, what came of the training, and details of it."""
    case = subject.case
    keep_freed_memory(lean=True)
    split = split_of(own_header(case))
    data = DATASETS[case.dataset].open(case.data_dir, **split)
    if data.train is None:
        raise zoo.DataError(f"{case.dataset} holds no images to train on")
    data = dataclasses.replace(data, train=data.train.subset(range(case.train_images)))
    data = with_look_alikes(data) if is_kept(case) else data
    chosen = recipe_of(case, img_size=case.train_img_size, epochs=case.epochs)
    if chosen is None:
        raise zoo.InvalidOption(f"the paper of {case.model} prints no recipe")
    model, data, notes = start(case, data, chosen)
    output = output_of(subject, data)
    subject.notes += notes
    reads = 0 if case.device == "cpu" else None  # on processors each training has one; a GPU waits for those that read
    if reads is None:
        multiprocessing.current_process().daemon = False  # which has no processes of its own
    result = train(
        model, data, chosen, output, seed=case.seed, precision=case.precision, workers=reads, weights=case.weights,
        on_progress=lambda progress: subject.tell(progress.done, progress.total),
    )  # fmt: skip
    details = {
        "recipe": dataclasses.asdict(chosen),
        "auxiliary_trained": bool(model.auxiliary),
        "curve": curve_of(result),
    }
    if output is not None:
        details |= {"weights_file": f"{output.parent.name}/{output.name}/{result.best.name}" if result.best else ""}
    return model, data, result, details


def _of_training(subject: Subject, start: Start) -> tuple[Measurement, ...]:
    """Trains, then tests."""
    import torch

    case = subject.case
    model, data, result, details = trained(subject, start)
    return (
        *_accuracy(subject, result.evaluation, data, details),
        *((network_bytes(model),) if is_kept(case) else ()),
        Measurement(name="train_images", value=case.train_images, unit="count", method="distinct images"),
        Measurement(
            name="train_samples_per_sec",
            value=result.images_seen / result.seconds,
            unit="1/s",
            method="images trained on / wall time of all epochs, without the tests between them",
            details={"threads": torch.get_num_threads()},
        ),
        Measurement(name="train_seconds", value=result.seconds, unit="s"),
    )


def given(subject: Subject) -> tuple[zoo.Classifier, Data, dict[str, Any]]:
    """Trained weights as they are, the data with their classes, and the preprocessing that belongs to them."""
    case = subject.case
    header = own_header(case)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if header is not None:
            model = zoo.load(case.weights_path, device=case.device)
        else:
            model = zoo.create(case.model, weights=case.weights_path, device=case.device)
    if case.img_size != model.spec.input.size:
        images = resized(model.spec.input, case.img_size)
        model.bind(dataclasses.replace(model.spec, input=images), model.spec.initialize)
    data = DATASETS[case.dataset].open(case.data_dir, **split_of(header))
    if model.class_names is not None:
        data = matched(data, model.class_names)
    subject.notes += [str(warning.message) for warning in said]
    return model, data, {"preprocessing": " ".join(str(zoo.preprocessing(model)).split())}


def _of_weights(subject: Subject) -> tuple[Measurement, ...]:
    """Tests trained weights as they are, with the preprocessing that belongs to them."""
    case = subject.case
    model, data, details = given(subject)
    session, found = (model, ()) if in_pytorch(case) else session_of(subject, model, data)
    precision = case.precision if session is model else FULL  # a session has its own
    evaluation = zoo.evaluate(session, data, precision=precision, on_progress=subject.on_progress)
    subject.notes += label_order(evaluation)
    return (*_accuracy(subject, evaluation, data, details), *found, network_bytes(model))


def _accuracy(
    subject: Subject, evaluation: zoo.Evaluation, data: Data, details: Mapping[str, Any]
) -> tuple[Measurement, ...]:
    """Top-1, top-5 and the number of images; all details go with top-1, what was left out becomes a note."""
    images = held_out(data)
    broken = {images.name(position): reason for position, reason in sorted(evaluation.unreadable.items())}
    answers = {
        "labels": pack(evaluation.labels),
        "answers": pack(evaluation.top),
        "fingerprint": data.fingerprint,
        "unreadable": broken,
    }
    own = not subject.case.recipe or is_kept(subject.case)
    subject.notes += () if own else data.notes
    if broken:
        first, reason = next(iter(broken.items()))
        many = "1 image" if len(broken) == 1 else f"{len(broken):,} images"
        subject.notes.append(f"left out, {many} that could not be read: {first!r}: {reason}")
    found = []
    if own:
        answers |= _about_images(evaluation, data)
        found.append(balanced_of(evaluation))
    for within in (1, TOP) if evaluation.num_classes > TOP else (1,):
        value, low, high = wilson(evaluation.right(within), evaluation.images)
        found.append(
            Measurement(
                name=f"top{within}",
                value=value,
                unit="fraction",
                low=low,
                high=high,
                method="every test image counted once; 95 % Wilson interval",
                details={**details, **answers} if within == 1 else {},
            )
        )
    count = Measurement(name="test_images", value=evaluation.images, unit="count", details={"unreadable": len(broken)})
    return (*found, count)


def _about_images(evaluation: zoo.Evaluation, data: Data) -> dict[str, Any]:
    """Which images were answered and what they are called: what a page about somebody's own images says of them.

    Where images were held out by a rule, those that were identify them, not the folder that they are part of.
    """
    images = held_out(data)
    names = data.class_names
    told = {int(number) for found in (evaluation.labels, evaluation.top[:, 0]) for number in found.unique()} - {-1}
    told = set(range(len(names))) if len(names) <= MOST_NAMES else told
    about: dict[str, Any] = {
        "part": "val" if data.test is None else "test",
        "data_name": data.name,
        "class_names": {str(number): names[number] for number in sorted(told)},
        "left_out": list(data.notes),
        "mistakes": mistakes_of(evaluation, images, names),
    }
    if data.split:
        found = hashlib.sha256(data.fingerprint.encode())
        for position in range(len(images.labels)):
            found.update(images.name(position).encode(errors="surrogateescape") + b"\0")
        about["fingerprint"] = found.hexdigest()
    return about


def label_order(evaluation: zoo.Evaluation) -> tuple[str, ...]:
    """A warning if the answers fit better with all class numbers moved by one: the mark of a list of 1001 classes."""
    best = evaluation.top[:, 0]
    answered = best >= 0  # what could not be read has no answer that could be moved
    right = {shift: int((answered & (best == evaluation.labels + shift)).sum()) for shift in (-1, 0, 1)}
    shift = max(right, key=lambda each: right[each])
    if right[shift] <= 2 * right[0] or right[shift] < 5:
        return ()
    return (
        f"the order of classes looks wrong: {right[0]} of {evaluation.images} images are right, but {right[shift]} "
        f"would be if every class number were moved by {-shift:+d}; do the weights count a background class?",
    )


def basis(case: Case) -> Sequence[object]:
    """How the network is come by, the images, and for weights their key map and preprocessing."""
    if case.weights and not case.recipe:
        return (*origin(case), _of_weights, *(() if in_pytorch(case) else (session_of,)))
    start = _from_weights if case.weights else _from_scratch
    return (*origin(case), _of_training, start, *((together,) if case.train_processes else ()))


def origin(case: Case) -> Sequence[object]:
    """The values and functions that a network comes from, however it is tested: see `Metric.basis`."""
    spec, dataset = zoo.spec(case.model), DATASETS[case.dataset]
    found: list[object] = [_reproducible, dataset.open]
    if case.weights:
        published = case.weights.startswith("imagenet")
        sources = {row.source for row in spec.weights} if published else LAYOUTS.keys()
        found += [(row.url, row.source, row.input, row.options) for row in spec.weights]
        found += [LAYOUTS[source] for source in sorted(sources)]
    if case.weights and not case.recipe:
        return found
    return (*found, spec.initialize, spec.auxiliary_weight, spec.input.channels)


def _reproducible() -> None:
    """Strict arithmetic and algorithms that give the same result every time, for the life of this process."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


OPTIONAL = {"int | None": (int, None), "float | None": (float, None)}  # fields of a recipe that may say nothing
POINT: Shape = {
    "epoch": int, "loss": float, "train_top1": (float, None), "test_loss": float, "top1": float, "seconds": float,
}  # fmt: skip
RECIPE = {each.name: OPTIONAL.get(str(each.type), type(each.default)) for each in dataclasses.fields(Recipe)}
TOP1: Mapping[str, Shape] = {
    "labels": (is_packed, ABSENT),
    "answers": (is_packed, ABSENT),
    "fingerprint": (str, ABSENT),
    "unreadable": ({str: str}, ABSENT),
    "preprocessing": (str, ABSENT),
    "recipe": ({name: (kind, ABSENT) for name, kind in RECIPE.items()}, ABSENT),
    "auxiliary_trained": (bool, ABSENT),
    "curve": ([POINT], ABSENT),
    "part": (str, ABSENT),
    "data_name": (str, ABSENT),
    "class_names": ({str: str}, ABSENT),
    "left_out": ([str], ABSENT),
    "mistakes": ([MISTAKE], ABSENT),
    "weights_file": (str, ABSENT),
}

METRIC = Metric(
    name="accuracy",
    title="accuracy",
    also=("acc", "top-1", "top-5", "error", "training"),
    depends_on=(
        "runtime", "device", "precision", "img_size", "weights", "dataset", "data", "recipe", "epochs", "train_images",
        "train_img_size", "train_threads", "train_processes", "seed",
    ),
    columns=(
        Column(
            name="top1",
            measurement="top1",
            factor=100,
            better="high",
            title="{dataset} top-1 here, % [95 %]",
            digits=-1,
            published="top1",
            published_column="published_top1",
            published_title="ImageNet top-1, % (published)",
        ),
        Column(name="top1_ci95_lo", measurement="top1", part="low", factor=100),
        Column(name="top1_ci95_hi", measurement="top1", part="high", factor=100),
        Column(name="top5", measurement="top5", factor=100, better="high"),
        Column(name="agreement", measurement="agreement", better="high", rare=True),
        Column(name="calibration_images", measurement="calibration_images", whole=True, rare=True),
        Column(name="balanced", measurement="balanced", factor=100, better="high", rare=True),
        Column(name="train_samples_per_sec", measurement="train_samples_per_sec", better="high"),
    ),
    measure=measure,
    details={"top1": TOP1, "agreement": {"session": (is_json, ABSENT)}},
    basis=basis,
    complete=complete,
    unavailable=unavailable,
    slow=True,
)  # fmt: skip
