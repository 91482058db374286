"""Where AlexNet's parameters are, layer by layer, and what became of the network since 2012."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds
from benchmarks.studies.finding import Count
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

PAPER = "alexnet_2012"
NEURONS = {"conv1": "253440", "conv2": "186624", "conv3": "64896", "conv4": "64896", "conv5": "43264", "fc6": "4096",
           "fc7": "4096", "fc8": "1000"}  # fmt: skip
CLASS = 4096 + 1  # weights and bias of fc8


def linear_shares(model: str) -> list[Count]:
    """Shares of the linear layers in parameters and in multiply-adds."""
    return [counted(model, "fc6", "fc7", "fc8") / counted(model) for counted in (count.params, count.mult_adds)]


FIGURES = (
    Published("parameters", "Abstract (60 million)", "60 M", count.params(PAPER)),
    Published("neurons", "Abstract (650,000)", "0.65 M", count.outputs(PAPER, *NEURONS)),
    *(
        Published(f"neurons of {row}", "Figure 2", digits, count.outputs(PAPER, row),
                  slip="96 maps of 55x55 have 290,400 neurons" if row == "conv1" else "")
        for row, digits in NEURONS.items()
    ),
    Published("parameters of torchvision's alexnet", "torchvision 0.29, weights metadata", "61100840",
              count.params("alexnet")),
    Published("parameters of torchvision's alexnet with 10 classes", "torchvision 0.29, alexnet(num_classes=10)",
              "57044810", count.params("alexnet") - 990 * CLASS),
)  # fmt: skip
CLAIMS = (
    Claim("fully-connected layers hold 95 % of the parameters (within 1.5 points) and do 5 to 10 % of the computation",
          "arXiv:1404.5997, Sec. 2",
          holds(lambda params, mult_adds: abs(params - 0.95) < 0.015 and 0.05 <= mult_adds <= 0.10,
                "{:.1%} of the parameters, {:.1%} of the multiply-adds", *linear_shares("alexnet"))),
)  # fmt: skip

STUDY = Study(
    name="alexnet_parameters",
    question="Where are AlexNet's parameters, and where its work?",
    source="Krizhevsky et al., NIPS 2012; arXiv:1404.5997, Sec. 2",
    arms=(
        Arm("2012, two groups", PAPER, trained=False),
        Arm("2012, one group", "alexnet_2012:groups=1", trained=False),
        Arm("torchvision", "alexnet", trained=False),
        Arm("batch norm", "alexnet_bn", trained=False),
    ),
    answer=count.in_words(
        "Three linear layers hold {:.1%} of AlexNet's parameters and do {:.1%} of its multiply-adds; the five "
        "convolutions are the reverse.",
        linear_shares(PAPER),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(Picture("stacked", "Where the parameters and the multiply-adds of each variant sit."),),
    metrics=(),
    notes=("With 10 classes instead of 1000 the last layer loses 990 x 4097 parameters, whatever the image size.",),
)
