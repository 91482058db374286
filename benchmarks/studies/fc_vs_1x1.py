"""Fully-connected layers against 1x1 convolutions and global pooling, on the same features."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, no_slower
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

MAPS, SIDE, CLASSES = 1024, 8, 10  # the example: 1024 maps of 8x8 to 10 classes
VGG_FC, VGG_CONV, VGG_POOL = "VGG-16, fully connected", "VGG-16, 1x1 convolution", "VGG-16, global pooling"
FC, CONV, POOL = "GoogLeNet, fully connected", "GoogLeNet, 1x1 convolution", "GoogLeNet, global pooling"

FIGURES = (
    Published(
        what="weights of a linear layer on 1024 flattened maps of 8x8, 10 classes",
        where="the example in the question",
        printed="655360",
        counted=count.exactly(MAPS * SIDE * SIDE * CLASSES),
    ),
    Published(
        what="parameters of a 1x1 convolution on the same maps, biases included",
        where="the example in the question",
        printed="10250",
        counted=count.exactly(MAPS * CLASSES + CLASSES),
    ),
    Published(
        what="parameters of VGG-16 with its fully-connected layers",
        where="arXiv:1409.1556, Table 2",
        printed="138",
        unit="M",
        counted=count.params("vgg16"),
    ),
)


def in_words(evidence: Evidence) -> str:
    whole, pooled = evidence.params("vgg16"), evidence.params("vgg16:head=global_pool")
    if whole is None or pooled is None:
        return ""
    return (
        f"Replacing VGG-16's fully-connected layers by global pooling and one layer of 1x1 weights takes it from "
        f"{whole / 1e6:.1f} M to {pooled / 1e6:.1f} M parameters; 1024 maps of 8x8 to 10 classes take 655,360 weights "
        "flattened and 10,250 as a 1x1 convolution."
    )


def same_size(evidence: Evidence) -> tuple[bool, str] | None:
    found = [
        evidence.params(model)
        for model in ("vgg16:head=conv1x1", "vgg16:head=global_pool", "googlenet:head=conv1x1", "googlenet")
    ]
    if None in found:
        return None
    return found[0] == found[1] and found[2] == found[3], f"VGG-16 {found[0]:,}, GoogLeNet {found[2]:,} either way"


STUDY = Study(
    name="fc_vs_1x1",
    question="What do fully-connected layers buy over 1x1 convolutions and global pooling?",
    source="arXiv:1312.4400, Sec. 3.2; arXiv:1409.4842, Sec. 5",
    arms=(
        Arm(title=VGG_FC, model="vgg16"),
        Arm(title=VGG_CONV, model="vgg16:head=conv1x1"),
        Arm(title=VGG_POOL, model="vgg16:head=global_pool"),
        Arm(title=FC, model="googlenet:head=fully_connected"),
        Arm(title=CONV, model="googlenet:head=conv1x1"),
        Arm(title=POOL, model="googlenet"),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the counts of the example", source="closed form", judge=figures_agree(*FIGURES)),
        Claim(
            text="pooling before or after the 1x1 weights takes the same parameters",
            source="arXiv:1312.4400, Sec. 3.2",
            judge=holds(same_size),
        ),
        Claim(
            text="in GoogLeNet, average pooling is more accurate than a linear layer on all positions (by 0.6 points)",
            source="arXiv:1409.4842, Sec. 5",
            judge=more_accurate(POOL, FC),
            short="GoogLeNet better with pooling than with a linear layer on all positions",
        ),
        Claim(
            text="on VGG-16's features, global pooling is more accurate than three fully-connected layers",
            source="arXiv:1312.4400, Sec. 3.2 (less prone to overfitting)",
            judge=more_accurate(VGG_POOL, VGG_FC),
            short="VGG-16 too",
        ),
        Claim(
            text="VGG-16 with a 1x1 convolution is no slower than with fully-connected layers",
            source="arXiv:1312.4400, Sec. 3.2",
            judge=no_slower(VGG_CONV, VGG_FC),
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit with each head."),
        Picture(
            kind="differences",
            caption="Difference in top-1 between two heads on the same features.",
            pairs=((VGG_POOL, VGG_FC), (VGG_CONV, VGG_FC), (POOL, FC), (CONV, FC)),
        ),
    ),
)
