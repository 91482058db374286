"""timm's key names: mobilenetv1_100, 100h, 125 and legacy_xception.

timm pads both sides and keeps PyTorch's epsilon of 1e-5, also around the Xception weights trained at 1e-3.
"""

from __future__ import annotations

from zoo.lazy import classifier
from zoo.weights.layout import Conventions, Layout, Rules, is_norm, parameters, renamed

__all__ = ["TIMM", "XCEPTION_BLOCKS"]

# timm's stages hold the layers of equal channels: (stage, index in it) of each row of the paper's table
_STAGES = [(stage, index) for stage, count in enumerate((1, 2, 2, 6, 2)) for index in range(count)]

MOBILENET: Rules = (
    (r"features\.conv_1\.conv", r"conv_stem"),
    (r"features\.conv_1\.norm", r"bn1"),
    *(
        (rf"features\.{half}_{row}\.{layer}", f"blocks.{stage}.{index}.{theirs}")
        for row, (stage, index) in enumerate(_STAGES, start=2)
        for half, layer, theirs in (
            ("dw", "conv", "conv_dw"), ("dw", "norm", "bn1"), ("pw", "conv", "conv_pw"), ("pw", "norm", "bn2"),
        )
    ),
    (r"features\.conv_head\.conv", r"conv_head"),
    (r"features\.conv_head\.norm", r"bn2"),
    (r"head\.fc", r"classifier"),
)  # fmt: skip

# Xception's residual blocks in order; timm counts them from 1, Keras from 2
XCEPTION_BLOCKS = (*(f"entry{row}" for row in (1, 2, 3)), *(f"middle{row}" for row in range(1, 9)), "exit1")

_SEPARABLE = (("depthwise", 0, ".conv1"), ("pointwise", 0, ".pointwise"), ("norm", 1, ""))
XCEPTION: Rules = (
    (r"features\.conv([12])\.conv", r"conv\1"),
    (r"features\.conv([12])\.norm", r"bn\1"),
    *(
        rule
        for number, block in enumerate(XCEPTION_BLOCKS, start=1)
        for rule in (
            # `rep` counts ReLU, convolution, norm; the first block has no leading ReLU
            *(
                (rf"features\.{block}\.body\.sep{row}\.{layer}", f"block{number}.rep.{position + offset}{theirs}")
                for row, position in enumerate((0, 3) if block == "entry1" else (1, 4, 7), start=1)
                for layer, offset, theirs in _SEPARABLE
            ),
            (rf"features\.{block}\.shortcut\.conv", f"block{number}.skip"),
            (rf"features\.{block}\.shortcut\.norm", f"block{number}.skipbn"),
        )
    ),
    *(
        (rf"features\.{row}\.sep\.{layer}", theirs)
        for row, number in (("exit2", 3), ("exit3", 4))
        for layer, theirs in (
            ("depthwise", f"conv{number}.conv1"), ("pointwise", f"conv{number}.pointwise"), ("norm", f"bn{number}"),
        )
    ),
    (r"head\.fc", r"fc"),
)  # fmt: skip

RULES = {"mobilenet_v1": MOBILENET, "xception": XCEPTION}


def _names(model: classifier.Classifier) -> dict[str, str]:
    rules = RULES[model.spec.name]
    return {f"{path}.{leaf}": f"{renamed(path, rules)}.{leaf}" for path, leaf in parameters(model)}


def _conventions(model: classifier.Classifier) -> Conventions:
    return {f"{path}.eps": 1e-5 for path, layer in model.named_modules() if is_norm(layer)}


TIMM = Layout(source="timm", models=tuple(RULES), names=_names, conventions=_conventions)
