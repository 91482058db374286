"""The recomputed tables: sums, shares, and every figure a paper prints for a row."""

from __future__ import annotations

import math

import pytest

import zoo
from zoo.__main__ import main
from zoo.spec import ModelSpec, Printed
from zoo.table import Row, layers, printed_for, render, rows

PRINTED = {
    spec.label: printed_for(spec)
    for model in map(zoo.spec, zoo.list_models())
    for variant in dict.fromkeys(options for printed in model.printed for options in printed.variants)
    for spec in [model.vary(**dict(variant))]
}


@pytest.mark.parametrize("name", zoo.list_models())
def test_rows_add_up_to_the_network(name: str) -> None:
    table = rows(name)
    model = zoo.create(name, device="meta")
    assert sum(row.params for row in table) == sum(parameter.numel() for parameter in model.parameters())
    assert sum(row.params_share for row in table) == pytest.approx(1)
    assert sum(row.mult_adds_share for row in table) == pytest.approx(1)
    assert sum(row.mult_adds for row in table) == sum(layer.mult_adds for layer in layers(name))
    assert table[-1].output == (1000,)
    assert len({row.name for row in table}) == len(table)


def agrees(printed: str, counted: float) -> bool:
    """True if the printed digits are the counted figure, rounded or cut; K is 1024 as in GoogLeNet's table."""
    unit = {"K": 1024, "M": 1e6}[printed[-1]]
    decimals = len(printed[:-1].partition(".")[2])
    scale = 10**decimals
    exact = counted / unit * scale
    return float(printed[:-1]) * scale in (math.floor(exact + 0.5), math.floor(exact))


def covered(table: dict[str, Row], name: str, printed: Printed) -> list[Row]:
    return [table[row] for row in printed.covers or (name,)]


def test_the_variants_whose_rows_are_printed() -> None:
    shortcuts = ("", ":shortcut=pad", ":shortcut=none")
    resnets = {f"resnet{depth}{options}" for depth in (18, 34, 50, 101, 152) for options in shortcuts}
    resnets |= {f"resnet{depth}:stride_in=1x1" for depth in (50, 101, 152)}
    assert set(PRINTED) == {"alexnet_2012", "googlenet_2014", "mobilenet_v1", "xception"} | resnets
    assert all(PRINTED.values())
    for label in ("mobilenet_v1:width=0.5", "resnet50:shortcut=project_all", "googlenet_2014:reduce=false", "vgg16"):
        assert not printed_for(zoo.spec(label))
        assert all(row.printed is None for row in rows(label))


def test_no_row_is_printed_twice() -> None:
    for model in map(zoo.spec, zoo.list_models()):
        pairs = [(printed.row, options) for printed in model.printed for options in printed.variants]
        assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("label", PRINTED)
def test_every_printed_size_is_the_networks_or_an_owned_slip(label: str) -> None:
    table = {row.name: row for row in rows(label)}
    assert set(PRINTED[label]) <= set(table)
    for name, printed in PRINTED[label].items():
        output = table[name].output
        height, width = output[1:] if len(output) == 3 else (1, 1)
        if printed.output.endswith("neurons"):
            right = f"{math.prod(output):,} neurons" == printed.output
            assert right != bool(printed.slip), name
        else:
            assert printed.output in (f"{height}x{width}x{output[0]}", f"{height}x{width}", str(output[0])), name


def test_googlenets_table_row_by_row() -> None:
    table = {row.name: row for row in rows("googlenet_2014")}
    slips = set()
    for name, printed in PRINTED["googlenet_2014"].items():
        if printed.params:
            own = covered(table, name, printed)
            weights, mult_adds = sum(row.weights for row in own), sum(row.mult_adds for row in own)
            if not (agrees(printed.params, weights) and agrees(printed.mult_adds, mult_adds)):
                slips.add(name)
    assert slips == {name for name, printed in PRINTED["googlenet_2014"].items() if printed.slip}
    assert {"conv1", "inception4c", "inception5a", "inception5b"} <= slips


def test_auxiliary_classifiers_hold_parameters_and_cost_nothing_in_inference() -> None:
    auxiliary = [row for row in rows("googlenet:auxiliary=true") if row.name.startswith("auxiliary.")]
    assert sum(row.params for row in auxiliary) == 13_004_888 - 6_624_904
    assert all(row.mult_adds == 0 and row.output == () for row in auxiliary)


def test_a_repeated_block_counts_its_weights_once() -> None:
    middle = next(row for row in rows("xception:share_middle=true") if row.name == "middle")
    alone = next(row for row in rows("xception") if row.name == "middle1")
    assert (middle.params, middle.mult_adds) == (alone.params, 8 * alone.mult_adds)


def test_other_images_and_classes() -> None:
    table = rows("resnet18", img_size=112, num_classes=10)
    assert table[-1].output == (10,)
    assert all(row.printed is None for row in table)
    assert next(row for row in table if row.name == "conv5_x").output == (512, 4, 4)


def test_kinds_of_layers() -> None:
    kinds = {layer.kind for layer in layers("mobilenet_v1")}
    assert kinds == {"conv 3x3", "depthwise 3x3", "conv 1x1", "linear", "norm"}
    assert "conv 1x7" in {layer.kind for layer in layers("inception_v3")}


def test_render_names_the_slips() -> None:
    text = render(rows("googlenet_2014"))
    assert "112K parameters, 360M multiply-adds, for conv2_reduce and conv2" in text
    assert "[1] Table 1: the printed figures fit a separable 7x7 convolution" in text
    assert "6,998,552" in text and "1,582,671,872" in text
    plain = render(rows("vgg16"))
    assert "the paper prints" not in plain


def test_info_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "googlenet_2014"]) == 0
    assert render(rows("googlenet_2014"), 80) in capsys.readouterr().out


def test_a_spec_is_as_good_as_a_label() -> None:
    spec: ModelSpec = zoo.spec("mobilenet_v1").vary(width=0.5)
    assert rows(spec) == rows("mobilenet_v1:width=0.5")
