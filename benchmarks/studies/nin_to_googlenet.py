"""From AlexNet over Network in Network to GoogLeNet: what the 1x1 convolution and global pooling did to size."""

from __future__ import annotations

from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

SIDE = 63  # pixels; AlexNet takes no fewer
ALEXNET, NIN, GOOGLENET = "AlexNet", "Network in Network", "GoogLeNet"
ZOO = "Caffe model zoo, Network in Network Imagenet Model"


def _smaller(evidence: Evidence, model: str) -> float | None:
    large, small = evidence.params("alexnet_2012"), evidence.params(model)
    return None if large is None or small is None else large / small


def _file_size(evidence: Evidence) -> float | None:
    params = evidence.params("nin")
    return None if params is None else 4 * params  # single precision


FIGURES = (
    Published(what="bytes of NIN's weights", where=ZOO, printed="29", unit="MiB", counted=_file_size),
    Published(
        what="AlexNet's parameters over NIN's",
        where=ZOO,
        printed="8",
        counted=lambda evidence: _smaller(evidence, "nin"),
    ),
    Published(
        what="AlexNet's parameters over GoogLeNet's",
        where="arXiv:1409.4842, Sec. 1",
        printed="12",
        counted=lambda evidence: _smaller(evidence, "googlenet_2014"),
        slip="60 M over the 6.8 M of the paper's own Table 1 are 9; 12 would leave 5 M",
    ),
)


def in_words(evidence: Evidence) -> str:
    first, second = _smaller(evidence, "nin"), _smaller(evidence, "googlenet_2014")
    if first is None or second is None:
        return ""
    return (
        f"Without fully-connected layers Network in Network is {first:.1f} and GoogLeNet {second:.1f} times smaller "
        "than AlexNet, and both are published as more accurate."
    )


def no_linear(evidence: Evidence) -> tuple[bool, str] | None:
    kinds = evidence.kinds("nin")
    if kinds is None:
        return None
    share = kinds["conv 1x1"]["weights"] / sum(sums["weights"] for sums in kinds.values())
    return "linear" not in kinds, f"{share:.0%} of its weights are 1x1 convolutions, the rest larger ones"


STUDY = Study(
    name="nin_to_googlenet",
    question="How did networks lose nine tenths of AlexNet's parameters and become better?",
    source="arXiv:1312.4400; arXiv:1409.4842, Sec. 1; Caffe model zoo",
    arms=(
        Arm(
            title=ALEXNET,
            model="alexnet_2012",
            img_size=SIDE,
            printed_top1=0.593,
            printed_source="NIPS 2012, Table 2 (10 crops)",
        ),
        Arm(title=NIN, model="nin", img_size=SIDE, printed_top1=0.5936, printed_source=ZOO),
        Arm(title=GOOGLENET, model="googlenet_2014", img_size=SIDE),
        Arm(title=f"{GOOGLENET}, batch norm", model="googlenet", img_size=SIDE),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(
            text="the printed sizes follow from the architectures", source="see below", judge=figures_agree(*FIGURES)
        ),
        Claim(text="NIN has no fully-connected layer", source="arXiv:1312.4400, Sec. 3.2", judge=holds(no_linear)),
        Claim(
            text="NIN is slightly more accurate than AlexNet",
            source=ZOO,
            judge=more_accurate(NIN, ALEXNET),
            short="NIN ahead of AlexNet",
        ),
        Claim(
            text="GoogLeNet is more accurate than AlexNet",
            source="arXiv:1409.4842, Sec. 1",
            judge=more_accurate(GOOGLENET, ALEXNET),
            short="GoogLeNet ahead of AlexNet",
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
        Picture(
            kind="differences",
            caption="Difference in top-1 on the same seeds.",
            pairs=((NIN, ALEXNET), (GOOGLENET, ALEXNET), (GOOGLENET, NIN)),
        ),
    ),
    notes=(f"All are trained here on images of {SIDE} pixels, the smallest that AlexNet takes.",),
)
