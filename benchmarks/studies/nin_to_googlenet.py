"""From AlexNet over Network in Network to GoogLeNet: what the 1x1 convolution and global pooling did to size."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

SIDE = 63  # pixels; AlexNet takes no fewer
ALEXNET, NIN, GOOGLENET = "AlexNet", "Network in Network", "GoogLeNet"
ZOO = "Caffe model zoo, Network in Network Imagenet Model"
OVER_NIN = count.params("alexnet_2012") / count.params("nin")
OVER_GOOGLENET = count.params("alexnet_2012") / count.params("googlenet_2014")
FIGURES = (
    Published("bytes of NIN's weights", ZOO, "29 MiB", count.params("nin") * 4),  # single precision
    Published("AlexNet's parameters over NIN's", ZOO, "8", OVER_NIN),
    Published("AlexNet's parameters over GoogLeNet's", "arXiv:1409.4842, Sec. 1", "12", OVER_GOOGLENET,
              slip="60 M over the 6.8 M of the paper's own Table 1 are 9; 12 would leave 5 M"),
)  # fmt: skip
CLAIMS = (
    Claim("NIN has no fully-connected layer", "arXiv:1312.4400, Sec. 3.2",
          holds(lambda _, linear: not linear, "{:.0%} of its weights are 1x1 convolutions, the rest larger ones",
                count.share("nin", "conv 1x1", "weights"), count.share("nin", "linear", "weights"))),
    Claim("NIN is slightly more accurate than AlexNet", ZOO, more_accurate(NIN, ALEXNET), short="NIN ahead of AlexNet"),
    Claim("GoogLeNet is more accurate than AlexNet", "arXiv:1409.4842, Sec. 1", more_accurate(GOOGLENET, ALEXNET),
          short="GoogLeNet ahead of AlexNet"),
)  # fmt: skip

STUDY = Study(
    name="nin_to_googlenet",
    question="How did networks lose nine tenths of AlexNet's parameters and become better?",
    source="arXiv:1312.4400; arXiv:1409.4842, Sec. 1; Caffe model zoo",
    arms=(
        Arm(ALEXNET, "alexnet_2012", img_size=SIDE, printed=(0.593, "NIPS 2012, Table 2 (10 crops)")),
        Arm(NIN, "nin", img_size=SIDE, printed=(0.5936, ZOO)),
        Arm(GOOGLENET, "googlenet_2014", img_size=SIDE),
        Arm(f"{GOOGLENET}, batch norm", "googlenet", img_size=SIDE),
    ),
    answer=count.in_words(
        "Without fully-connected layers Network in Network is {:.1f} and GoogLeNet {:.1f} times smaller than AlexNet, "
        "and both are said to be more accurate.",
        (OVER_NIN, OVER_GOOGLENET),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("stacked"),
        Picture("differences", pairs=((NIN, ALEXNET), (GOOGLENET, ALEXNET), (GOOGLENET, NIN))),
    ),
    notes=(f"All are trained here on images of {SIDE} pixels, the smallest that AlexNet takes.",),
)
