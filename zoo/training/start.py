"""What a training starts with: the network, its classifier for the classes of the data, and its input."""

from __future__ import annotations

import dataclasses

from zoo.creation import trained
from zoo.data.dataset import Data, matched
from zoo.errors import WeightsError
from zoo.factory import fresh
from zoo.lazy import classifier, torch
from zoo.registry import spec as find_spec
from zoo.spec import Input, ModelSpec, resized
from zoo.training.optimizers import classifier_layers
from zoo.training.recipes import Recipe
from zoo.weights.loading import header_of
from zoo.weights.sources import Source, open_file

__all__ = ["give_classes", "input_for", "pretrained", "take_input", "untrained"]


def untrained(spec: ModelSpec, data: Data, recipe: Recipe, *, seed: int, device: str = "") -> classifier.Classifier:
    """A network for the classes of the data, its weights as its paper starts them, the same for equal seeds."""
    auxiliary = recipe.auxiliary and "auxiliary" in spec.settings
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = fresh(
            spec.vary(auxiliary=True) if auxiliary else spec,
            num_classes=len(data.class_names),
            in_channels=spec.input.channels,
            device=device or None,
        )
    model.class_names = data.class_names
    take_input(model, input_for(model.spec, data, recipe, scratch=True))
    return model


def pretrained(
    name: str | None, weights: Source, data: Data, recipe: Recipe, *, seed: int, device: str = ""
) -> tuple[classifier.Classifier, Data, list[str]]:
    """A network with trained weights for the classes of the data, the data in its order of classes, and notes.

    Args:
        name: of the model; None where the file says it.

    Raises:
        WeightsError: nothing of the file fits, or it does not say which model it is.
    """
    spec = find_spec(name) if name is not None else _spec_of(weights)
    model, written = trained(spec, weights)
    notes, of = list(written.notes), len(model.state_dict())
    if not written.taken:
        raise WeightsError(f"none of the {of} tensors of {spec.label} is in {str(weights)!r:.100}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        data, new = give_classes(model, data, trained=True)
    lost = sum(len(layer.state_dict()) for layer in classifier_layers(model)) if new else 0
    head = (
        f"new classifier for {len(data.class_names)} classes"
        if new
        else "the classifier goes on, its classes are the data's"
    )
    notes.insert(0, f"{written.taken - lost} of {of} tensors taken; {head}")
    take_input(model, input_for(model.spec, data, recipe, scratch=False))
    return (model.to(device) if device else model), data, notes


def give_classes(model: classifier.Classifier, data: Data, *, trained: bool) -> tuple[Data, bool]:
    """Ties a network's classifier to the classes of the data, and says whether it is a new one.

    A classifier is kept only where its classes bear the names of the data's; a trained one that does not name its
    classes is replaced even if their number is the same.
    """
    names = model.class_names
    if names is not None and set(names) == set(data.class_names):
        return (data if names == data.class_names else matched(data, names)), False
    keep = names is None and not trained and model.num_classes == len(data.class_names)
    if not keep:
        model.reset_classifier(len(data.class_names))
    model.class_names = data.class_names
    return data, not keep


def input_for(spec: ModelSpec, data: Data, recipe: Recipe, *, scratch: bool) -> Input:
    """What images become before the network sees them: as its weights want it, at the size of the recipe.

    A network that starts from scratch on a data set with statistics of its own takes these.
    """
    images = spec.input
    size = data.img_size or recipe.img_size
    if size is not None:
        size = max(size, images.min_size)
        images = resized(images, size)
    if scratch and data.statistics is not None:
        mean, std = data.statistics
        images = dataclasses.replace(
            images, resize=images.size, mean=(mean,) * images.channels, std=(std,) * images.channels,
            interpolation="bilinear",
        )  # fmt: skip
    return images


def take_input(model: classifier.Classifier, images: Input) -> None:
    """Ties what images become to the network."""
    model.bind(dataclasses.replace(model.spec, input=images), model.spec.initialize)


def _spec_of(weights: Source) -> ModelSpec:
    """The model that a file of the zoo's own says it is, with its input."""
    header = header_of(open_file(weights))  # type: ignore[arg-type]
    if header is None:
        raise WeightsError(f"{str(weights)!r:.100} does not say which model it is; name it with --model")
    spec = find_spec(header.model).with_options(dict(header.options))
    return dataclasses.replace(spec, input=dataclasses.replace(header.input, min_size=spec.input.min_size))
