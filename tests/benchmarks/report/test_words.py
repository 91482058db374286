"""Figures and text as a page shows them."""

from __future__ import annotations

import pytest

from benchmarks.report.printed import agrees, first_printed
from benchmarks.report.table import MOST_ROWS, TableColumn, table
from benchmarks.report.words import enumerate_words, markdown, number, told_apart
from benchmarks.stats.digits import factor_in_words, ratio_in_words
from benchmarks.stats.intervals import Interval
from zoo.registry import MODELS


class TestTables:
    NAME = TableColumn("name", lambda row: row[0], align="l")
    LOW = TableColumn("time, ms", lambda row: row[1], better="low")
    HIGH = TableColumn("rate", lambda row: row[2], -1, better="high", bounds="[{}, {}]")

    def test_units_bounds_and_the_best(self) -> None:
        rows = [("a|b", 1950.0, 3.0), ("c\nd", 12.34, Interval(4.0, 3.96, 5.0)), ("none", None, "n/a")]
        assert table([self.NAME, self.LOW, self.HIGH], rows).splitlines() == [
            "| name | time, ms | rate |",
            "| :--- | ---: | ---: |",
            "| a\\|b | 1,950 | 3.0 |",
            "| c d | **12.3** | **4.0** [4.0, 5.0] |",
            "| none |  | n/a |",
        ]

    def test_the_best_of_each_row(self) -> None:
        other = TableColumn("other, ms", lambda row: row[2], better="low")
        rows = [("a", 2.0, 1.0), ("b", 1.0, 1.0), ("c", None, 3.0)]
        lines = table([self.NAME, self.LOW, other], rows, across=True).splitlines()
        assert lines[2:] == ["| a | 2.00 | **1.00** |", "| b | **1.00** | **1.00** |", "| c |  | **3.00** |"]

    def test_no_rows_no_table(self) -> None:
        assert table([self.NAME], []) == ""

    def test_a_long_table_is_cut_and_its_best_is_of_all(self) -> None:
        lines = table([self.NAME, self.LOW], [("x", 1000.0 - place) for place in range(500)]).splitlines()
        assert len(lines) == 2 + MOST_ROWS and "**" not in "".join(lines)


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.5687, "0.569"), (9.999, "10.0"), (20.14, "20.1"), (138.4, "138"), (1234.5, "1,230")],
    )
    def test_numbers(self, value: float, text: str) -> None:
        assert number(value) == text

    @pytest.mark.parametrize(
        ("value", "digits", "text"),
        [(1950, 3, "1,950"), (7.01e3, 3, "7,010"), (9e-7, 1, "0.0000009"), (138.357544, -2, "138.36"),
         (1234567, 0, "1,234,567"), (-0.001, -2, "0.00"), (float("nan"), 3, "nan"), (float("inf"), 3, "inf")],
    )  # fmt: skip
    def test_numbers_have_no_exponent(self, value: float, digits: int, text: str) -> None:
        assert number(value, digits) == text

    def test_lists(self) -> None:
        assert enumerate_words([]) == ""
        assert enumerate_words(["a"]) == "a"
        assert enumerate_words(["a", "b", "c"]) == "a, b and c"
        assert enumerate_words(list("abcdefgh"), most=4) == "a, b, c and 5 others"

    def test_markdown(self) -> None:
        assert markdown("vgg16_bn") == "vgg16_bn"
        assert markdown("a|b\n<i>*x*_y_") == "a\\|b &lt;i&gt;\\*x\\*\\_y\\_"
        assert len(markdown("x" * 999)) == 240

    @pytest.mark.parametrize(
        ("value", "text"),
        [(100 * 1763 / 2000, "88.2"), (100 * 1653 / 2000, "82.7"), (0.05, "0.1"), (-0.05, "-0.1"), (2.675, "2.7")],
    )
    def test_halves_are_rounded_up_everywhere(self, value: float, text: str) -> None:
        assert number(value, -1) == text

    def test_a_ratio_shows_what_tells_it_from_one(self) -> None:
        assert ratio_in_words(Interval(1.45, 1.42, 1.49), " times") == "1.45 times (1.42 to 1.49)"
        assert ratio_in_words(Interval(1.0002, 0.9996, 1.004)) == "1.0002 (0.9996 to 1.0040)"
        assert ratio_in_words(Interval(1.0, 1.0, 1.0)) == "1.00 (1.00 to 1.00)"
        assert ratio_in_words(Interval(1.2, float("nan"), float("nan"))) == "1.20 (too few rounds for an interval)"
        assert (factor_in_words(1.0004), factor_in_words(8.6)) == ("1.0004", "8.60")

    def test_names_in_pictures_keep_what_tells_them_apart(self) -> None:
        grid = [f"mobilenet_v1:resolution={side},width={width}" for side in (128, 160) for width in (0.25, 0.75)]
        assert told_apart(grid, 22) == [
            "mobilenet_v1:128,0.25", "mobilenet_v1:128,0.75", "mobilenet_v1:160,0.25", "mobilenet_v1:160,0.75",
        ]  # fmt: skip
        alike = ["x" * 40 + "1" + "y" * 40, "x" * 40 + "2" + "y" * 40, "resnet18"]
        short = told_apart([*alike, alike[0]], 18)
        assert len(set(short)) == 3 and short[0] == short[3] and max(map(len, short)) <= 18


class TestPrinted:
    @pytest.mark.parametrize(
        ("counted", "printed", "how"),
        [
            (60_965_224, 60e6, "cut"),  # "60 million": it begins with these digits and does not round to them
            (61_100_840, 61_100_840, "equal"), (61_100_841, 61_100_840, "differs"), (138_357_544, 138e6, "equal"),
            (6_998_552, 6.8e6, "differs"), (470_072, 0.5e6, "equal"), (7_609_090_048, 7.609e9, "equal"),
            (3_643_600_000, 3.6e9, "equal"), (3_664_000_000, 3.6e9, "cut"), (569_100_000, 569e6, "equal"),
            (4_867_293_184, 4866e6, "differs"),
        ],
    )  # fmt: skip
    def test_a_count_rounds_to_what_is_printed_or_begins_with_it_or_neither(
        self, counted: float, printed: float, how: str
    ) -> None:
        assert agrees(counted, printed) == how

    @pytest.mark.parametrize(
        ("model", "top1", "source"),
        [
            ("vgg16", 0.73, "arXiv:1409.1556"), ("resnet34", 0.7548, "arXiv:1512.03385"),
            ("inception_v3", 0.77294, "torchvision"),  # another paper's figure for it does not come first
            ("resnet50", 0.7613, "torchvision"), ("xception", 0.79, "arXiv:1610.02357"),
        ],
    )  # fmt: skip
    def test_the_papers_own_figure_comes_before_an_implementations(self, model: str, top1: float, source: str) -> None:
        found = first_printed(MODELS[model], "top1")
        assert found is not None and found[0] == top1 and found[1].source.startswith(source)

    def test_beside_weights_stands_what_was_printed_for_them(self) -> None:
        found = first_printed(MODELS["vgg16"], "top1", "imagenet")
        assert found is not None and found[0] == 0.71592
        assert first_printed(MODELS["vgg16"], "top1", "own.pth") == first_printed(MODELS["vgg16"], "top1")
