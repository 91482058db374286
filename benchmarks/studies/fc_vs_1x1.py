"""Fully-connected layers against 1x1 convolutions and global pooling, on the same features."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, no_slower
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

MAPS, SIDE, CLASSES = 1024, 8, 10  # the example: 1024 maps of 8x8 to 10 classes
VGG_FC, VGG_CONV, VGG_POOL = "VGG-16, fully connected", "VGG-16, 1x1 convolution", "VGG-16, global pooling"
FC, CONV, POOL = "GoogLeNet, fully connected", "GoogLeNet, 1x1 convolution", "GoogLeNet, global pooling"
MODELS = {
    VGG_FC: "vgg16",
    VGG_CONV: "vgg16:head=conv1x1",
    VGG_POOL: "vgg16:head=global_pool",
    FC: "googlenet:head=fully_connected",
    CONV: "googlenet:head=conv1x1",
    POOL: "googlenet",
}
SIZES = {title: count.params(model) for title, model in MODELS.items()}
FIGURES = (
    Published("weights of a linear layer on 1024 flattened maps of 8x8, 10 classes", "the example in the question",
              "655360", count.exactly(MAPS * SIDE * SIDE * CLASSES)),
    Published("parameters of a 1x1 convolution on the same maps, biases included", "the example in the question",
              "10250", count.exactly(MAPS * CLASSES + CLASSES)),
    Published("parameters of VGG-16 with its fully-connected layers", "arXiv:1409.1556, Table 2", "138 M",
              SIZES[VGG_FC]),
)  # fmt: skip
CLAIMS = (
    Claim("pooling before or after the 1x1 weights takes the same parameters", "arXiv:1312.4400, Sec. 3.2",
          holds(lambda *sizes: sizes[::2] == sizes[1::2], "VGG-16 {0:,}, GoogLeNet {2:,} either way",
                *(SIZES[title] for title in (VGG_CONV, VGG_POOL, CONV, POOL)))),
    Claim("in GoogLeNet, average pooling is more accurate than a linear layer on all positions (there by 0.6 points)",
          "arXiv:1409.4842, Sec. 5", more_accurate(POOL, FC),
          short="GoogLeNet better with pooling than with a linear layer on all positions"),
    Claim("on VGG-16's features, global pooling is more accurate than three fully-connected layers",
          "arXiv:1312.4400, Sec. 3.2 (less prone to overfitting)", more_accurate(VGG_POOL, VGG_FC), short="VGG-16 too"),
    Claim("VGG-16 with a 1x1 convolution is no slower than with fully-connected layers", "arXiv:1312.4400, Sec. 3.2",
          no_slower(VGG_CONV, VGG_FC)),
)  # fmt: skip

STUDY = Study(
    name="fc_vs_1x1",
    question="What do fully-connected layers buy over 1x1 convolutions and global pooling?",
    source="arXiv:1312.4400, Sec. 3.2; arXiv:1409.4842, Sec. 5",
    arms=tuple(Arm(title, model) for title, model in MODELS.items()),
    answer=count.in_words(
        "Replacing VGG-16's fully-connected layers by global pooling and one layer of 1x1 weights takes it from "
        "{:.1f} M to {:.1f} M parameters; 1024 maps of 8x8 to 10 classes take 655,360 weights flattened and, with its "
        "biases, 10,250 as a 1x1 convolution.",
        (SIZES[VGG_FC] / 1e6, SIZES[VGG_POOL] / 1e6),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("stacked", "Where the parameters and the multiply-adds sit with each head."),
        Picture(
            "differences",
            "Difference in top-1 between two heads on the same features.",
            pairs=((VGG_POOL, VGG_FC), (VGG_CONV, VGG_FC), (POOL, FC), (CONV, FC)),
        ),
    ),
)
