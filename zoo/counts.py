"""Parameters and multiply-adds of each network for which anybody prints figures, as it is published.

For whoever does not want to wait for PyTorch, and to tell a network that somebody changed from the published one.
`zoo.table` counts them; a test counts them again.
"""

from __future__ import annotations

__all__ = ["COUNTED", "is_edited"]

COUNTED = {
    "alexnet": (61_100_840, 714_188_480),
    "alexnet_2012": (60_965_224, 724_406_816),
    "alexnet_bn": (62_379_560, 1_135_256_096),
    "googlenet": (6_624_904, 1_498_376_192),
    "googlenet:auxiliary=true": (13_004_888, 1_498_376_192),
    "googlenet_2014": (6_998_552, 1_582_671_872),
    "inception_v3": (23_834_568, 5_713_216_096),
    "inception_v3:auxiliary=true": (27_161_264, 5_713_216_096),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v1:head=hidden": (5_282_600, 620_120_576),
    "mobilenet_v1:resolution=128": (4_231_976, 186_400_768),
    "mobilenet_v1:resolution=128,width=0.25": (470_072, 13_570_048),
    "mobilenet_v1:resolution=128,width=0.5": (1_331_592, 49_160_192),
    "mobilenet_v1:resolution=128,width=0.75": (2_585_560, 106_770_432),
    "mobilenet_v1:resolution=160": (4_231_976, 290_675_200),
    "mobilenet_v1:resolution=160,width=0.25": (470_072, 21_059_200),
    "mobilenet_v1:resolution=160,width=0.5": (1_331_592, 76_524_800),
    "mobilenet_v1:resolution=160,width=0.75": (2_585_560, 166_396_800),
    "mobilenet_v1:resolution=192": (4_231_976, 418_121_728),
    "mobilenet_v1:resolution=192,width=0.25": (470_072, 30_212_608),
    "mobilenet_v1:resolution=192,width=0.5": (1_331_592, 109_970_432),
    "mobilenet_v1:resolution=192,width=0.75": (2_585_560, 239_273_472),
    "mobilenet_v1:separable=false": (29_294_088, 4_867_293_184),
    "mobilenet_v1:shallow=true": (2_887_976, 307_323_392),
    "mobilenet_v1:width=0.25": (470_072, 41_030_272),
    "mobilenet_v1:width=0.5": (1_331_592, 149_497_088),
    "mobilenet_v1:width=0.75": (2_585_560, 325_400_448),
    "mobilenet_v1:width=1.25": (6_270_840, 879_516_800),
    "nin": (7_595_176, 1_100_188_800),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet101:stride_in=1x1": (44_549_160, 7_570_194_432),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnet152:stride_in=1x1": (60_192_808, 11_282_415_616),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet18:shortcut=none": (11_515_688, 1_794_805_760),
    "resnet18:shortcut=pad": (11_515_688, 1_794_805_760),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet34:shortcut=none": (21_623_848, 3_644_493_824),
    "resnet34:shortcut=pad": (21_623_848, 3_644_493_824),
    "resnet34:shortcut=project_all": (22_716_840, 3_830_747_136),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet50:stride_in=1x1": (25_557_032, 3_857_973_248),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg11_bn": (132_868_840, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg13_bn": (133_053_736, 11_308_466_176),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg16_bn": (138_365_992, 15_470_264_320),
    "vgg16_c": (133_638_952, 11_770_888_192),
    "vgg19": (143_667_240, 19_632_062_464),
    "vgg19_bn": (143_678_248, 19_632_062_464),
    "xception": (22_855_952, 8_357_403_496),
}
"""By label; multiply-adds at the network's own image size."""


def is_edited(label: str, *, params: float | None = None, mult_adds: float | None = None) -> bool:
    """Whether what was counted is another network than the published one: what is printed for that is not for this.

    Args:
        label: name and options of the network, as its spec has them.
        params: parameters that were counted; None where they were not.
        mult_adds: multiply-adds that were counted at the network's own image size; None where they were not.
    """
    if label not in COUNTED:
        return False
    pairs = zip((params, mult_adds), COUNTED[label], strict=True)
    return any(counted is not None and counted != published for counted, published in pairs)
