"""A study that cannot be carried out says so in one line where it is written, and costs no other."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report.studies.page import file_names
from benchmarks.studies import STUDIES, count
from benchmarks.studies.claims import holds, more_accurate, no_slower
from benchmarks.studies.study import Arm, Claim, Judge, Picture, Published, Study, StudyError
from tests.benchmarks.studies.made import STUDY, WITHOUT

ROOT = Path(__file__).parents[3]
TWO = (Arm("one", "resnet18"), Arm("other", "resnet34"))


def figure(text: str, counted: count.Count = count.exactly(1)) -> tuple[Published, ...]:  # noqa: B008
    return (Published("layers", "Table 0", text, counted),)


def claim(judge: Judge) -> tuple[Claim, ...]:
    return (Claim("one wins", "Table 0", judge),)


@pytest.mark.parametrize(
    ("changes", "wrong", "allowed"),
    [
        ({"arms": ()}, "needs arms", "arms"),
        ({"seeds": ()}, "seeds", "seeds"),
        ({"arms": (Arm("one", "resnet81"),)}, "'resnet81'", "resnet18"),
        ({"arms": (Arm("one", "resnet18:shortcuts=pad"),)}, "'shortcuts'", "shortcut"),
        ({"arms": (Arm("one", "resnet18:shortcut=paddle"),)}, "'paddle'", "pad"),
        ({"arms": (Arm("one", "resnet18", recipe="simple"),)}, "'simple'", "sample"),
        ({"arms": (Arm("one", "resnet18", recipe="sample:auxilary=false"),)}, "'auxilary'", "auxiliary"),
        ({"arms": (Arm("one", "resnet18", recipe="sample:auxiliary=no"),)}, "'no'", "true or false"),
        ({"arms": (*TWO, Arm("one", "resnet50"))}, "two arms are called 'one'", "a title of its own"),
        ({"arms": (*TWO, Arm("third", "resnet18", recipe="sample:auxiliary=true"))}, "are one", "network"),
        ({"arms": (*TWO, Arm("third", "resnet18:shortcut=projection"))}, "are one", "network"),
        ({"metrics": ("accuracy", "latencies")}, "'latencies'", "latency"),
        ({"published": figure("4.2 k")}, "'4.2 k'", "K, M, G, %, MiB"),
        ({"published": figure("4.2M")}, "'4.2M'", "a number, a space and a unit"),
        ({"published": figure("four M")}, "'four M'", "a number"),
        ({"published": figure("4", count.params("resnet50"))}, "counts resnet50", "resnet18, resnet34"),
        ({"published": figure("4", count.params("resnet18") / count.params("resnet81"))}, "'resnet81'", "resnet18"),
        ({"published": figure("4", count.accuracy("won"))}, "figure 'layers' names arm 'won'", "one, other, alone"),
        (
            {"answer": count.in_words("{} faster", [count.time_ratio("won", "other")])},
            "the answer",
            "one, other, alone",
        ),
        ({"claims": claim(more_accurate("won", "other"))}, "claim 'one wins' names arm 'won'", "one, other, alone"),
        ({"claims": claim(no_slower("one", "othr"))}, "arm 'othr'", "one, other, alone"),
        ({"claims": claim(holds(bool, "{}", count.params("resnet50")))}, "counts resnet50", "resnet18, resnet34"),
        ({"pictures": (Picture("pie"),)}, "'pie'", "stacked, scatter, heatmaps, curves, differences, schemes, rows"),
        ({"pictures": (Picture("differences", pairs=(("one", "othr"),)),)}, "arm 'othr'", "one, other, alone"),
        (
            {"pictures": (Picture("curves", panels=(("", ("won",)),)),)},
            "picture 'curves' names arm 'won'",
            "one, other",
        ),
        ({"pictures": (Picture("curves"),)}, "'curves' shows nothing", "panels"),
        ({"pictures": (Picture("differences"),), "claims": ()}, "'differences' shows nothing", "pairs"),
        ({"pictures": (Picture("scatter", color="{width:g}"),)}, "'width' of 'one'", "title, shortcut"),
        ({"pictures": (Picture("heatmaps", rows=("", "{shortcut:g}")),)}, "of 'one'", "title, shortcut"),
    ],
)
def test_a_mistake_is_named_with_its_study_and_what_is_allowed(
    changes: dict[str, object], wrong: str, allowed: str
) -> None:
    with pytest.raises(StudyError) as refused:
        dataclasses.replace(STUDY, **changes)  # type: ignore[arg-type]
    message = str(refused.value)
    assert message.startswith("study 'toy': ") and wrong in message and allowed in message
    assert "\n" not in message


def test_labels_are_written_as_the_zoo_writes_them() -> None:
    arms = (Arm("one", "mobilenet_v1:width=1.0,resolution=160"), Arm("other", "mobilenet_v1:width=0.5,resolution=128"))
    study = dataclasses.replace(STUDY, arms=arms, claims=())
    assert [arm.model for arm in study.arms] == ["mobilenet_v1:resolution=160", "mobilenet_v1:resolution=128,width=0.5"]
    assert study.parts[0].models == tuple(arm.model for arm in study.arms)


def test_two_pictures_of_one_kind_are_allowed() -> None:
    pair = (("one", "other"),)
    study = dataclasses.replace(STUDY, pictures=(Picture("differences"), Picture("differences", "twice", pairs=pair)))
    assert file_names(study) == ["toy_differences", "toy_differences2"]


def test_one_network_trained_in_two_ways_is_two_arms() -> None:
    assert STUDY.arms[2].recipe == WITHOUT and STUDY.arms[0].model == STUDY.arms[2].model


def test_findings_know_what_they_are_made_of() -> None:
    made = count.params("resnet18") / count.time_ratio("one", "other") - 1
    assert (made.models, made.titles) == (("resnet18",), ("one", "other"))
    assert isinstance(STUDY, Study)


BROKEN = {
    "residual": ('"Table 1", text', '"Table 1", f"{text}B"', "'1.8 GB'"),
    "vgg_depth": ('more_accurate("C", "B")', 'more_accurate("C", "b")', "names arm 'b'"),
    "mobilenet_grid": ("PAPER = {", "PAPER = )", "SyntaxError"),
    "separable": ("from benchmarks.studies import count", "import no_such_module", "No module named"),
    "xception_block": ('name="xception_block"', 'name="xception"', "is called 'xception'"),
}


def test_a_broken_study_costs_only_itself(tmp_path: Path) -> None:
    for package in ("zoo", "benchmarks"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (right, wrong, _) in BROKEN.items():
        file = tmp_path / "benchmarks" / "studies" / f"{name}.py"
        assert right in file.read_text()
        file.write_text(file.read_text().replace(right, wrong))
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    names = re.findall(r"^  (\w+)", re.split(r"^studies:\n|^\w.*:\n", listed.stdout.partition("studies:\n")[2],
                                            flags=re.MULTILINE)[0], re.MULTILINE)  # fmt: skip
    assert names == [name for name in STUDIES if name not in BROKEN]
    lines = {line.partition(".py")[0]: line for line in listed.stderr.splitlines()}
    assert lines.keys() == {f"benchmarks/studies/{name}" for name in BROKEN}
    assert all(said in lines[f"benchmarks/studies/{name}"] for name, (_, _, said) in BROKEN.items())
