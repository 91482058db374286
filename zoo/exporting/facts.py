"""What an exported file says of itself, the same in every format."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.errors import WeightsError
from zoo.registry import spec as find_spec
from zoo.runtimes.quantizing.instructions import instruction_set
from zoo.spec import Input, ModelSpec

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement

__all__ = ["KEY", "Facts", "facts_of", "read_facts"]

KEY = "comparative-cnn-zoo"  # of the metadata that holds all of it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an exported file says of itself.

    Args:
        model: registry name and options in shell form.
        input: how a photograph becomes its input.
        in_channels, num_classes: of the network.
        class_names: what the outputs stand for; None where nobody said so.
        format: "onnx" or "openvino".
        precision: "fp32", "fp16" or "int8".
        batch_size: images a call; None for any number.
        preprocessing: whether scaling, mean and deviation are inside: the input is then `pixels`, uint8, else `images`.
        softmax: whether the output is `probabilities`, else `logits`.
        opset: of ONNX; None in OpenVINO's files.
        target: for which processors its integers were made.
        weights: hash of the network's weights.
        agreement: how far it was found to agree with the network, and on which instruction set.
        trained_on: name, fingerprint and split of the data it was trained or calibrated on; empty where nobody said so.
    """

    model: str
    input: Input
    in_channels: int
    num_classes: int
    class_names: tuple[str, ...] | None
    format: str
    precision: str
    batch_size: int | None
    preprocessing: bool
    softmax: bool
    opset: int | None
    target: str
    weights: str
    agreement: Mapping[str, Any]
    trained_on: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """As the file keeps it."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @property
    def input_name(self) -> str:
        """Of the file's input."""
        return "pixels" if self.preprocessing else "images"

    @property
    def output_name(self) -> str:
        """Of the file's output."""
        return "probabilities" if self.softmax else "logits"

    @property
    def spec(self) -> ModelSpec:
        """Of the network, with the file's own preprocessing."""
        return dataclasses.replace(find_spec(self.model), input=self.input)

    @property
    def elsewhere(self) -> str | None:
        """That the accuracy of integers was measured on another instruction set than this machine's."""
        measured = self.agreement.get("instructions")
        if self.precision != "int8" or measured in (None, instruction_set()):
            return None
        return (
            f"the accuracy of this int8 file was measured on {measured}, and this machine is {instruction_set()}; "
            "zoo evaluate --weights FILE --data DATA checks it here"
        )


def facts_of(model: Classifier, agreement: Agreement, **given: Any) -> Facts:
    """Of a file that is about to be written."""
    found = {
        "instructions": instruction_set(),
        "images": agreement.images,
        "source": agreement.source,
        "relative": agreement.relative,
        "top1": agreement.top1,
        "correct": agreement.correct,
        **agreement.facts,
    }
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return Facts(
        model=model.spec.label,
        in_channels=model.in_channels,
        num_classes=model.num_classes,
        class_names=model.class_names,
        weights=digest.hexdigest()[:16],
        agreement=json.loads(json.dumps(found)),
        **given,
    )


def read_facts(text: str | None, name: str) -> Facts:
    """What `Facts.text` wrote; raises `WeightsError` where a file says nothing of the kind."""
    if not text:
        raise WeightsError(f"{name} was not written by zoo.export: it does not say which network it is")
    try:
        fields = json.loads(text)
        images = fields.pop("input")
        images |= {"mean": tuple(images["mean"]), "std": tuple(images["std"])}
        names = fields.pop("class_names")
        found = Facts(input=Input(**images), class_names=None if names is None else tuple(map(str, names)), **fields)
        _ = found.spec
    except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
        raise WeightsError(f"{name} says of itself what makes no sense: {error!r:.120}") from error
    return found
