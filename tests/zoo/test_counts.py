"""Parameters and multiply-adds to the last digit, from the models and from the papers' tables alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import zoo
from zoo.counts import COUNTED, is_edited
from zoo.models import mobilenet_v1, vgg

# (parameters, multiply-adds at the spec's input size), as counted in published.csv ("computed") and DESIGN
EXACT = {
    "alexnet": (61_100_840, 714_188_480),
    "alexnet_2012": (60_965_224, 724_406_816),
    "alexnet_2012:groups=1": (62_378_344, 1_135_256_096),
    "alexnet_bn": (62_379_560, 1_135_256_096),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
    "vgg11_bn": (132_868_840, 7_609_090_048),
    "vgg13_bn": (133_053_736, 11_308_466_176),
    "vgg16_bn": (138_365_992, 15_470_264_320),
    "vgg19_bn": (143_678_248, 19_632_062_464),
    "vgg16_c": (133_638_952, 11_770_888_192),
    "googlenet": (6_624_904, 1_498_376_192),
    "googlenet:auxiliary=true": (13_004_888, 1_498_376_192),
    "googlenet_2014": (6_998_552, 1_582_671_872),
    "googlenet_2014:auxiliary=true": (13_378_280, 1_582_671_872),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet18:shortcut=none": (11_515_688, 1_794_805_760),
    "resnet18:shortcut=pad": (11_515_688, 1_794_805_760),
    "resnet18:shortcut=project_all": (12_043_816, 1_878_298_624),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet34:shortcut=none": (21_623_848, 3_644_493_824),
    "resnet34:shortcut=project_all": (22_716_840, None),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet50:stride_in=1x1": (25_557_032, 3_857_973_248),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "mobilenet_v1:separable=false": (29_294_088, 4_867_293_184),
    "mobilenet_v1:shallow=true": (2_887_976, 307_323_392),
    "mobilenet_v1:head=hidden": (5_282_600, 620_120_576),
    "mobilenet_v1:width=1.25": (6_270_840, 879_516_800),
    "xception": (22_855_952, 8_357_403_496),
    "inception_v3": (23_834_568, 5_713_216_096),
    "inception_v3:auxiliary=true": (27_161_264, 5_713_216_096),
    "nin": (7_595_176, 1_100_188_800),
}

# multiply-adds of MobileNetV1 by width, at 224, 192, 160 and 128 (published.csv, computed)
MOBILENET_PARAMS = {1.0: 4_231_976, 0.75: 2_585_560, 0.5: 1_331_592, 0.25: 470_072}
MOBILENET_MULT_ADDS = {
    1.0: (568_740_352, 418_121_728, 290_675_200, 186_400_768),
    0.75: (325_400_448, 239_273_472, 166_396_800, 106_770_432),
    0.5: (149_497_088, 109_970_432, 76_524_800, 49_160_192),
    0.25: (41_030_272, 30_212_608, 21_059_200, 13_570_048),
}


@cache
def count(label: str) -> tuple[int, int]:
    model = zoo.create(label, device="meta").eval()
    size = model.spec.input.size
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, size, size, device="meta"))
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize("label", EXACT)
def test_counts_are_exact(label: str) -> None:
    params, mult_adds = count(label)
    assert params == EXACT[label][0]
    if EXACT[label][1] is not None:
        assert mult_adds == EXACT[label][1]


@pytest.mark.parametrize("width", MOBILENET_PARAMS)
@pytest.mark.parametrize("column", range(4))
def test_all_sixteen_mobilenets(width: float, column: int) -> None:
    resolution = (224, 192, 160, 128)[column]
    label = f"mobilenet_v1:width={width},resolution={resolution}"
    assert count(label) == (MOBILENET_PARAMS[width], MOBILENET_MULT_ADDS[width][column])
    assert zoo.create("mobilenet_v1", width=width, resolution=resolution, device="meta").spec == zoo.spec(label)


@pytest.mark.slow
def test_what_stands_for_counting_is_what_is_counted() -> None:
    """Of every network for which anybody prints figures."""
    entries = [zoo.spec(name) for name in zoo.list_models()]
    printed = {(entry, row.options) for entry in entries for row in (*entry.references, *entry.weights)}
    labels = {entry.with_options(dict(options)).label for entry, options in printed}
    assert list(COUNTED) == sorted(labels | {entry.label for entry in entries})
    for label, counts in COUNTED.items():
        assert counts == count(label)


def test_a_network_is_the_published_one_where_both_counts_are() -> None:
    params, mult_adds = COUNTED["mobilenet_v1:width=0.5"]
    label = "mobilenet_v1:width=0.5"
    assert not is_edited(label) and not is_edited(label, params=params, mult_adds=mult_adds)
    assert is_edited(label, params=params + 1, mult_adds=mult_adds) and is_edited(label, mult_adds=mult_adds - 1)
    assert not is_edited("mobilenet_v1:width=0.6", params=1)  # for which nobody prints anything


def mobilenet_rows(width: float, resolution: int) -> Iterator[tuple[int, int]]:
    """(parameters, multiply-adds) of each layer, from the paper's Table 1 by hand."""
    channels, side = int(mobilenet_v1.STEM * width), -(-resolution // 2)
    yield 27 * channels + 2 * channels, 27 * channels * side**2
    for filters, stride in mobilenet_v1.TABLE_1:
        out_channels, side = int(filters * width), -(-side // stride)
        yield 9 * channels + 2 * channels, 9 * channels * side**2
        yield channels * out_channels + 2 * out_channels, channels * out_channels * side**2
        channels = out_channels
    yield channels * 1000 + 1000, channels * 1000


@pytest.mark.parametrize("width", [1.5, 1.25, 1.0, 0.75, 0.6, 0.5, 0.35, 0.25, 0.1])
@pytest.mark.parametrize("resolution", [224, 160, 111, 32])
def test_mobilenet_follows_from_its_table(width: float, resolution: int) -> None:
    params, mult_adds = (sum(column) for column in zip(*mobilenet_rows(width, resolution), strict=True))
    assert count(f"mobilenet_v1:width={width},resolution={resolution}") == (params, mult_adds)


def vgg_rows(config: str) -> Iterator[tuple[int, int]]:
    """(parameters, multiply-adds) of each layer, from the paper's Table 1 by hand."""
    in_channels, side = 3, 224
    for depth, channels in zip(vgg.TABLE_1[config], vgg.CHANNELS, strict=True):
        for layer in range(depth):
            kernel = 1 if config == "C" and layer == 2 else 3
            weights = kernel**2 * in_channels * channels
            yield weights + channels, weights * side**2
            in_channels = channels
        side //= 2
    for inputs, outputs in ((7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)):
        yield inputs * outputs + outputs, inputs * outputs


@pytest.mark.parametrize(
    ("name", "config"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16_c", "C"), ("vgg16", "D"), ("vgg19", "E")]
)
def test_vgg_follows_from_its_table(name: str, config: str) -> None:
    assert count(name) == tuple(sum(column) for column in zip(*vgg_rows(config), strict=True))


def test_published_figures_are_the_measured_ones_rounded() -> None:
    """Every published count of an exact variant agrees with the network to the digits printed, or is owned up to."""
    slips = {
        ("googlenet_2014", "params"): "rows of Table 1 are slips, and so is their sum",
        ("googlenet_2014", "mult_adds"): "the stated design budget",
        ("mobilenet_v1:resolution=160,width=0.5", "params"): "1.32 M printed, 1.33 M counted",
        ("mobilenet_v1:resolution=160,width=0.5", "mult_adds"): "76 M printed, 76.5 M counted",
        ("mobilenet_v1:separable=false", "mult_adds"): "4866 M printed, 4867.3 M counted",
        ("resnet34", "mult_adds"): "3.6 G printed, 3.66 G counted with projections",
        ("resnet50:stride_in=1x1", "mult_adds"): "3.8 G printed, 3.86 G counted",
        ("inception_v3", "params"): "the Xception paper's 23,626,728 is reached by no public implementation",
    }
    unequal = set()
    for name in zoo.list_models():
        for reference in zoo.spec(name).references:
            label = zoo.spec(name).with_options(dict(reference.options)).label
            params, mult_adds = count(label)
            for quantity, printed, counted in (
                ("params", reference.params, params),
                ("mult_adds", reference.mult_adds, mult_adds),
            ):
                if printed is None:
                    continue
                assert counted == pytest.approx(printed, rel=0.06), (label, quantity)
                digits = len(f"{printed:.12g}".rstrip("0").replace(".", ""))
                if float(f"{counted:.{digits}g}") != printed:
                    unequal.add((label, quantity))
    assert unequal == set(slips)


@pytest.mark.parametrize("name", zoo.list_models(family="resnet"))
def test_classes_only_touch_the_last_layer(name: str) -> None:
    thousand = sum(parameter.numel() for parameter in zoo.create(name, device="meta").parameters())
    ten = sum(parameter.numel() for parameter in zoo.create(name, num_classes=10, device="meta").parameters())
    features = 512 if name in ("resnet18", "resnet34") else 2048
    assert thousand - ten == 990 * (features + 1)


def test_alexnet_of_ten_classes() -> None:
    model = zoo.create("alexnet", num_classes=10, device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == 57_044_810
