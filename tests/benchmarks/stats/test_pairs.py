"""The difference of two shares on the same images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.stats.pairs import paired_difference


def test_the_interval_holds_its_level() -> None:
    chance = np.random.default_rng(5)
    for count, first, second in ((250, 0.03, 0.05), (1000, 0.02, 0.03), (100, 0.01, 0.01)):
        held = 0
        for _ in range(400):
            only_first, only_second, _ = chance.multinomial(count, (first, second, 1 - first - second))
            found = paired_difference(int(only_first), int(only_second), count)
            held += found.low <= first - second <= found.high
        assert held >= 0.92 * 400


def test_the_difference_is_that_of_the_shares_and_lies_in_its_interval() -> None:
    found = paired_difference(3, 8, 250)
    assert found.value == pytest.approx(-0.02)
    assert found.low < found.value < found.high
    none = paired_difference(0, 0, 250)
    assert none.value == 0 and none.low < 0 < none.high  # no image differs, and yet one in a thousand may
    assert paired_difference(5, 0, 5).high == 1.0


def test_more_differences_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="of 3 images"):
        paired_difference(2, 2, 3)
