"""Recipes as data: what they hold, what is refused, what a paper printed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.training.recipes import RECIPES, Recipe, recipe, recipes

SAMPLE = Recipe()


@pytest.mark.parametrize("steps", [1, 3, 750])
def test_learning_rate_rises_and_falls(steps: int) -> None:
    rates = [SAMPLE.schedule(step, steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(1.0)
    assert min(rates) > 0
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert steps < 750 or (rates[0] < 0.05 * rates[top] and rates[-1] < 1e-4 * rates[top])


def test_other_schedules() -> None:
    step = dataclasses.replace(SAMPLE, sched="step", decay_epochs=2, decay_rate=0.5, warmup=0.0)
    assert [step.schedule(each, 60, 10) for each in (0, 19, 20, 39, 40)] == [1, 1, 0.5, 0.5, 0.25]
    plateau = dataclasses.replace(SAMPLE, sched="plateau", decay_epochs=2, warmup=0.0)
    assert [plateau.schedule(9, 60, 10, reductions) for reductions in (0, 1, 2)] == pytest.approx([1, 0.1, 0.01])
    assert {dataclasses.replace(SAMPLE, sched="constant", warmup=0.0).schedule(each, 9) for each in range(9)} == {1.0}


def test_text_holds_the_figures() -> None:
    text = Recipe(epochs=3, batch_size=24, bias_rate=0.0007, img_size=80, label_smoothing=0.1).text
    for words in ("3 epochs", "80x80", "batches of 24", "0.0007", "smoothed by 0.1", "not augmented"):
        assert words in text
    assert "1 epoch " in Recipe(epochs=1).text
    assert "no auxiliary" in Recipe(auxiliary=False).text
    text = recipe("finetune", mixup=0.3, reprob=0.25, patience=4, clip_grad=1.5).text
    for words in ("AdamW", "Mixup of 0.3", "25%", "after 4 epochs", "norm 1.5", "only the classifier", "running mean"):
        assert words in text


def test_the_recipe_is_read_without_pytorch() -> None:
    script = "import sys, zoo; zoo.recipe('finetune'); zoo.recipes(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def test_names_and_changes() -> None:
    assert recipes() == [*RECIPES, "paper"] == ["sample", "scratch", "finetune", "head_only", "paper"]
    assert recipe("sample") == Recipe()
    assert recipe("sample:auxiliary=false,batch_size=10", epochs=7) == Recipe(auxiliary=False, batch_size=10, epochs=7)
    assert recipe("scratch:img_size=none,dropout=0.3").dropout == 0.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample:batch_size=ten", "'batch_size' of a recipe takes a whole number; got 'ten'"),
        ("sample:mirror=yes", "'mirror' of a recipe takes true or false; got 'yes'"),
        ("sample:rate=1", "a recipe has no field 'rate'; its fields: img_size, "),
        ("sample:epochs=0", "epochs of a recipe takes whole numbers from 1 up; got 0"),
        ("sample:warmup=2", "warmup of a recipe takes numbers from 0 to 1; got 2.0"),
        ("sample:opt=lion", "opt of a recipe takes layerwise, adamw, sgd, rmsprop; got 'lion'"),
        ("sample:opt=sgd", "a recipe with the optimizer sgd takes an lr above 0; got 0"),
        ("sample:sched=step", "sched step of a recipe takes decay_epochs above 0; got 0"),
        ("sample:lr=nan", "lr of a recipe takes numbers from 0 up; got nan"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises((zoo.UnknownOption, zoo.InvalidOption)) as error:
        recipe(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_paper_has_a_recipe_with_its_source(name: str) -> None:
    spec = zoo.spec(name)
    assert spec.training is not None and spec.training.source
    assert not set(spec.training.printed) & set(spec.training.ours)
    chosen = recipe("paper", spec)
    for field, value in {**spec.training.printed, **spec.training.ours}.items():
        assert getattr(chosen, field) == value
    assert chosen.opt in ("sgd", "rmsprop")
    assert recipe("paper:epochs=2", spec).epochs == 2


def test_figures_that_papers_print() -> None:
    """NIPS 2012, Sec. 5; arXiv:1409.1556, Sec. 3.1; 1512.03385, Sec. 3.4; 1512.00567, Sec. 8; 1610.02357, Sec. 4.3."""
    fields = ("lr", "weight_decay", "batch_size", "epochs")
    wanted = {
        "alexnet_2012": (0.01, 5e-4, 128, 90), "vgg16": (0.01, 5e-4, 256, 74), "resnet50": (0.1, 1e-4, 256, 120),
    }  # fmt: skip
    for name, values in wanted.items():
        assert tuple(zoo.spec(name).training.printed[field] for field in fields) == values  # type: ignore[union-attr]
    xception = recipe("paper", zoo.spec("xception"))
    assert (xception.lr, xception.decay_rate, xception.decay_epochs, xception.weight_decay) == (0.045, 0.94, 2, 1e-5)


def test_a_paper_needs_a_model() -> None:
    with pytest.raises(LookupError, match="the recipe 'paper' is a model's own"):
        recipe("paper")
    with pytest.raises(LookupError, match="did you mean finetune"):
        recipe("finetun")
