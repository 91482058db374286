"""What the self-test concludes: never that a slowdown is too small to be found and large enough to be found."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence

import pytest

from benchmarks.records.record import Case, Measurement, Record
from benchmarks.selfcheck.selftest import SLOWDOWN, conclude


def timed(
    scale: float, *, repeat: int = 1, seed: int = 0, count: int = 24, spread: float = 0.02, apart: Sequence[int] = ()
) -> Record:
    draws = random.Random(f"{seed} {repeat}")
    settings = () if repeat == 1 else (("repeat", repeat),) + ((("slowdown", SLOWDOWN),) if repeat == 3 else ())
    found = Measurement(
        name="latency_s", unit="s", value=scale, rounds=tuple(range(count)),
        details={"run": "one", "apart_rounds": [*apart]},
        samples=tuple(
            scale * (1.4 if number in apart else 1) * draws.lognormvariate(0, spread) for number in range(count)
        ),
    )  # fmt: skip
    case = Case(metric="latency", model="mobilenet_v1", settings=settings)
    return Record(case=case, status="ok", measurements=(found,))


def three(slowed: float, **options: float) -> list[Record]:
    return [timed(1.0, **options), timed(1.0, repeat=2, **options), timed(slowed, repeat=3, **options)]  # type: ignore[arg-type]


def test_it_tells_right_from_wrong() -> None:
    lines, right = conclude(three(1 + SLOWDOWN))
    assert right and "Right: nothing is called a difference" in lines[0] and "Right: it is found" in lines[1]
    lines, right = conclude(three(1.0))
    assert not right and "It is not found; it came out smaller than it is" in lines[1]
    drifting = [timed(1.0), timed(1.06, repeat=2), timed(1.06, repeat=3)]
    lines, right = conclude(drifting)
    assert not right and "Wrong: the machine drifts" in lines[0]


@pytest.mark.parametrize("seed", range(40))
def test_it_does_not_contradict_itself(seed: int) -> None:
    lines, _ = conclude(three(1 + SLOWDOWN, seed=seed, spread=0.03 + 0.002 * seed, count=8 + seed % 9))
    size = float(re.search(r"injected: ([+-][\d.]+)%", lines[1]).group(1))  # type: ignore[union-attr]
    least = float(re.search(r"slowdowns that come out at ([\d.]+)% or more", lines[2]).group(1))  # type: ignore[union-attr]
    assert ("It is not found" in lines[1]) == ("slower" not in lines[1])
    assert size >= least - 0.1 if "Right: it is found" in lines[1] else size <= least + 0.1
    if "it would be from" in lines[1]:
        assert f"from {least:.1f}% on" in lines[1] and least >= 100 * SLOWDOWN
    if "smaller than it is" in lines[1]:
        assert size <= 100 * SLOWDOWN


def test_few_rounds_and_failures_are_said() -> None:
    lines, right = conclude(three(1.05, count=7))
    assert not right and lines == ["the self-test could not be made: fewer than 8 rounds count; raise --max-time"]
    lost = dataclasses.replace(timed(1.0, repeat=2), status="crashed", reason="SIGSEGV")
    lines, right = conclude([timed(1.0), lost])
    assert not right and "SIGSEGV" in lines[0]


def test_it_concludes_where_the_processors_were_mostly_apart() -> None:
    """Twelve of 24 rounds are close for each, six for two of them; calls take 40 % longer in the others."""
    close = [range(12), range(6, 18), [*range(6), *range(12, 18)]]
    apart = [sorted({*range(24)} - {*each}) for each in close]
    records = [timed(1.05 if place == 2 else 1.0, repeat=place + 1, spread=0.005, apart=each)
               for place, each in enumerate(apart)]  # fmt: skip
    lines, right = conclude(records)
    assert right and "Over 12 rounds" in lines[2]
