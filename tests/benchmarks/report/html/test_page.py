"""The page to explore, in a real browser: everything a reader can do, by what is shown afterwards."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from benchmarks.report.choosing import Budget, choose
from benchmarks.report.html import write_index
from benchmarks.report.html.figures import lines_of
from benchmarks.report.html.models import way_name
from benchmarks.report.overview import survey
from benchmarks.report.shown import candidates
from tests.benchmarks.report.html.made import many, page_of, whole
from tests.benchmarks.report.made import ENVIRONMENT, latency, record
from tests.benchmarks.report.test_hostile import HOSTILE, PLACE, spoiled
from tests.benchmarks.report.test_hostile import whole as filled
from tests.browser import Seen, needs_browser, opened

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as found:
        yield found


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(whole(), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def tab(browser: Any, index: Path) -> Iterator[Seen]:
    """One tab for all tests that begin by asking for everything."""
    seen = Seen(browser, index)
    yield seen
    assert seen.said == [] and len(seen.asked) == 1  # the file itself


@pytest.fixture
def seen(tab: Seen) -> Seen:
    tab.page.locator("#reset").click()
    return tab


def sort_by(seen: Seen, title: str) -> None:
    seen.page.locator("#table thead button", has_text=title).first.click()


def numbers(cells: list[str]) -> list[float | None]:
    return [float(cell.lstrip("●").split(" ")[0]) if cell else None for cell in cells]


def test_it_reads_without_javascript(browser: Any, index: Path) -> None:
    seen = Seen(browser, index, java_script_enabled=False)
    assert seen.page.locator("#table tbody tr").count() == 4 * 21
    assert "vgg19" in seen.text("#table") and "no kernel" in seen.text("#table")
    assert not seen.page.locator("#choose").is_visible() and not seen.page.locator("#text").is_visible()
    assert seen.page.locator("details.model", has_text="alexnet").count() > 0
    seen.close()


def test_as_it_opens_it_shows_every_row(browser: Any, index: Path) -> None:
    seen = Seen(browser, index)
    count = len(seen.rows())
    assert count and seen.text("#shown") == f"{count} of {count} rows"
    seen.close()


def test_as_it_opens_the_picture_is_of_a_way_that_was_timed(tmp_path: Path) -> None:
    """Not of one in which nothing could be, however early it comes."""
    skipped = [record("latency", name, status="skipped", reason="has no int8", runtime="eager", precision="int8",
                      num_threads=1, batch_size=1) for name in ("alexnet", "resnet18")]  # fmt: skip
    timed = [latency(name, 0.01, runtime="openvino") for name in ("alexnet", "resnet18")]
    text = page_of([*skipped, *timed], tmp_path).read_text()
    (start,) = re.findall(r'"start":\s*(\{[^}]*\})', text)
    assert "openvino" in json.loads(start)["x"]


def test_ways_in_which_nothing_could_be_measured_stand_last() -> None:
    skipped = dataclasses.replace(latency("nin", 0.01, precision="int8"), status="skipped", measurements=())
    found = lines_of(survey([skipped, latency("nin", 0.01), latency("vgg11", 0.02)], ENVIRONMENT))
    assert [(line.row.model, line.row.case.precision) for line in found] == [
        ("nin", "fp32"), ("vgg11", "fp32"), ("nin", "int8"),
    ]  # fmt: skip
    assert [line.place for line in found] == [0, 1, 2]


def test_sorting_is_by_the_number_and_what_is_missing_comes_last_both_ways(seen: Seen) -> None:
    sort_by(seen, "Latency, ms")
    up = numbers(seen.column("Latency, ms"))
    known = [value for value in up if value is not None]
    assert known == sorted(known) and up[len(known) :] == [None] * (len(up) - len(known)) and None in up
    head = seen.page.locator("#table thead th", has_text="Latency, ms").first
    assert head.get_attribute("aria-sort") == "ascending"
    assert seen.page.evaluate("document.activeElement.textContent").startswith("Latency, ms")
    assert "sorted by Latency, ms, ascending" in seen.text("#shown")
    rows = seen.rows()[: len(known)]
    sort_by(seen, "Latency, ms")
    down = numbers(seen.column("Latency, ms"))
    assert down == known[::-1] + [None] * (len(up) - len(known))
    assert seen.rows()[: len(known)] == rows[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    assert seen.page.locator("#table [aria-sort]").count() == 1


def test_filters_and_text(seen: Seen) -> None:
    seen.page.locator("#runtime").select_option("openvino")
    assert set(seen.column("Runtime")) == {"openvino"}
    seen.page.locator("#family").select_option("resnet")
    assert set(seen.rows()) == {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"}
    seen.page.locator("#text").fill("RESNET10")
    assert seen.rows() == ["resnet101"] and seen.text("#shown").startswith("1 of ")
    seen.page.locator("#reset").click()
    seen.page.locator("#threads").select_option("1")
    assert set(seen.column("Threads")) == {"1"}
    assert seen.page.locator("#precision").count() == 0  # a control without a choice is none


def test_columns_can_be_chosen(seen: Seen) -> None:
    head = seen.page.locator("#table thead th", has_text="Parameters, M").first
    assert head.is_visible()
    seen.page.locator("#columns summary").click()
    seen.page.get_by_label("Parameters, M", exact=True).uncheck()
    assert not head.is_visible()
    seen.page.get_by_label("Parameters, M", exact=True).check()
    assert head.is_visible()


def test_every_column_says_its_unit_its_direction_and_how_it_was_measured(seen: Seen) -> None:
    told = seen.page.locator("section", has=seen.page.locator("#table")).locator("details li").all_text_contents()
    assert any(re.match(r"Latency, ms: in ms; less is better; .+", text) for text in told)
    assert len(told) == json.loads(seen.page.locator("#data").text_content())["figures"].__len__()


def test_the_page_chooses_as_the_rule_does(seen: Seen) -> None:
    overview = survey(whole(), ENVIRONMENT)
    lines = lines_of(overview)
    ways = candidates(overview, [line.row for line in lines])
    labels = {id(each): f"{each.model} ({way_name(line)})" for each, line in zip(ways, lines, strict=True)}
    chance = random.Random(1)
    asked = [
        Budget(**{
            name: round(chance.uniform(*ends), 1)
            for name, ends in {"max_latency_ms": (5, 400), "max_size_mb": (10, 600), "min_top1": (55, 80)}.items()
            if chance.random() < 0.7
        })
        for _ in range(60)
    ]  # fmt: skip
    told = seen.page.evaluate(
        """(budgets) => budgets.map((limits) => {
          state = { ...usual(), limits };
          const found = choose();
          const name = (line) => labelOf(line);
          return [found.answers.map(name), found.ties.map(name), found.possible.map(name)];
        })""",
        [{name: str(value) for name, value in budget.limits.items()} for budget in asked],
    )
    kinds = set()
    for budget, (answers, ties, possible) in zip(asked, told, strict=True):
        found = choose(ways, budget)
        assert answers == [labels[id(each)] for each in found.answers]
        assert ties == [labels[id(each)] for each in found.ties]
        assert possible == [labels[id(each)] for each in found.possible]
        kinds.add((bool(answers), bool(ties), bool(possible)))
    assert len(kinds) > 2


def test_a_limit_greys_out_what_does_not_fit_and_says_what_remains(seen: Seen) -> None:
    seen.page.locator("#max_latency_ms").fill("20")
    unfit = seen.page.locator("#table tbody tr.unfit").count()
    assert 0 < unfit < seen.page.locator("#table tbody tr").count()
    assert re.search(r"Fit for certain: \d+ ways? of \d+ models?\. Best: ", seen.text("#remains"))
    assert seen.page.locator("#picture .point.unfit").count() > 0
    assert seen.page.locator("#max_latency_ms-slider").input_value() == "20"
    slider = seen.page.locator("#max_latency_ms-slider")
    slider.focus()
    seen.page.keyboard.press("ArrowRight")
    assert float(seen.page.locator("#max_latency_ms").input_value()) > 20
    seen.page.locator("#max_latency_ms").fill("0.001")
    assert "Nothing fits for certain." in seen.text("#remains")
    seen.page.locator("#max_latency_ms").fill("")
    assert seen.page.locator("#table tbody tr.unfit").count() == 0


def test_the_address_brings_it_all_back(seen: Seen, browser: Any, index: Path) -> None:
    seen.page.locator("#text").fill("resnet")
    sort_by(seen, "Latency, ms")
    sort_by(seen, "Latency, ms")
    seen.page.locator("#min_top1").fill("75.5")
    seen.page.locator("#x").select_option("param_count")
    seen.page.locator("#log").uncheck()
    seen.page.locator("#columns summary").click()
    seen.page.locator("[data-column=gmacs]").dispatch_event("click")  # a browser with no window may not draw it in time
    for name in ("resnet50", "resnet34"):
        seen.page.locator("#table tbody tr", has_text=name).first.locator(".pin").click()
    before = seen.rows(), seen.text("#remains"), seen.text("#front"), seen.text("#pair"), seen.text("#shown")
    fresh = Seen(browser, index, hash_=seen.page.evaluate("location.hash"))
    after = fresh.rows(), fresh.text("#remains"), fresh.text("#front"), fresh.text("#pair"), fresh.text("#shown")
    assert after == before and len(before[0]) > 3
    assert not fresh.page.locator("#table thead th", has_text="Multiply-adds, G").first.is_visible()
    assert fresh.page.locator("#min_top1").input_value() == "75.5" and not fresh.page.locator("#log").is_checked()
    fresh.close()


def test_axes_are_anyones_choice_and_points_tell_by_pointer_and_by_keyboard(seen: Seen) -> None:
    page = seen.page
    options = page.locator("#x option").all_text_contents()
    assert {"Parameters, M", "Multiply-adds, G", "Peak memory, MB: eager, fp32, 2 threads, cpu"} <= set(options)
    assert any(option.startswith("Latency, ms: openvino") for option in options)
    assert "Surely on the Pareto front" in seen.text("#front") and page.locator("#picture circle.sure").count() > 0
    page.locator("#picture .point").first.hover()
    assert re.search(r"\w+: Latency, ms: .* [\d.]+ \([\d.]+ to [\d.]+\); ImageNet top-1", seen.text("#tip"))
    page.keyboard.press("Escape")
    assert seen.text("#tip") == ""
    page.locator("#picture .point").nth(3).focus()
    assert page.locator("#picture .point").nth(3).get_attribute("aria-label") == seen.text("#tip")
    page.locator("#x").select_option("published_top1")
    assert "is drawn where less of one axis and more of the other" in seen.text("#front")


def test_points_on_one_place_are_all_told(seen: Seen) -> None:
    seen.page.locator("#x").select_option("gmacs")
    seen.page.locator("#y").select_option("gmacs")
    label = seen.page.locator("#picture .point", has=seen.page.locator("path")).evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label')).find((text) => text.includes('vgg16:'))"
    )
    assert "vgg16: " in label and "vgg16_bn: " in label


def test_a_model_opens_with_all_there_is_and_two_stand_side_by_side(seen: Seen) -> None:
    page = seen.page
    page.locator("#table a", has_text="mobilenet_v1").first.click()
    opened_ = page.locator("details.model[open]", has_text="mobilenet_v1")
    text = opened_.inner_text()
    for words in ("MobileNets", "How it learned", "Where paper and implementation part", "Trained weights",
                  "zoo.create('mobilenet_v1'", "python -m zoo train", "onnx"):  # fmt: skip
        assert words in text
    page.locator("#table tbody tr", has_text="vgg16").first.locator(".pin").click()
    page.locator("#table tbody tr", has_text="xception").first.locator(".pin").click()
    assert page.locator("#pair h3").all_text_contents() == ["vgg16", "xception"]
    boxes = [page.locator("#pair > section").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]


def test_best_is_marked_with_all_that_cannot_be_told_apart(seen: Seen) -> None:
    marked = seen.page.locator("#table tbody tr", has_text="mobilenet_v1").locator("b").count()
    assert marked > 0
    accuracies = [cell for cell in seen.column("Fashion-MNIST top-1 here") if cell.startswith("●")]
    assert len(accuracies) > 4  # 0.908 and its neighbours, in every way they were run


def test_what_is_copied_is_what_is_shown(seen: Seen) -> None:
    seen.page.locator("#text").fill("resnet50")
    lines = seen.page.evaluate("csv()").splitlines()
    assert lines[0].startswith('"Model","Family"') and "Latency, ms" in lines[0]
    assert len(lines) == 1 + len(seen.rows()) and all("resnet50" in line for line in lines[1:])


def test_of_very_many_rows_the_first_are_there_at_once_and_all_a_little_later(browser: Any, tmp_path: Path) -> None:
    seen = Seen(browser, page_of(many(400), tmp_path))
    seen.settled()
    at_once = seen.page.evaluate('() => { change({ sort: "latency_ms_p50" }); return body.rows.length; }')
    assert at_once == 40
    every = [value for value in numbers(seen.column("Latency, ms")) if value is not None]
    assert len(every) == 400 and every == sorted(every)
    assert seen.text("#shown").startswith("400 of 400 rows")
    # another order before the rows of the last are there, and a third: each row once
    seen.page.evaluate('() => { change({ down: "1" }); change({ down: "" }); change({ down: "1" }); }')
    assert numbers(seen.column("Latency, ms")) == every[::-1]
    seen.page.evaluate('() => { change({ down: "" }); window.dispatchEvent(new Event("beforeprint")); }')
    assert seen.page.evaluate("body.rows.length") == 400  # nothing is missing on paper
    assert len(seen.page.evaluate("csv()").splitlines()) == 401
    seen.page.locator("#text").fill("width=0.11")
    assert 0 < len(seen.rows()) < 100
    seen.close()


def no_number(text: str) -> float:
    raise AssertionError(text)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_things_are_called_the_page_is_whole_and_runs_nothing(browser: Any, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    place = spoiled(PLACE, chance)
    records = [dataclasses.replace(spoiled(each, chance), machine=place.machine_id) for each in filled()]
    told = [("studies/a.md", "".join(HOSTILE[:9]), "".join(HOSTILE[9:]))]
    index = write_index(survey(records, place, asked={each.case.model for each in records}), tmp_path, told)
    seen = Seen(browser, index)
    assert seen.page.evaluate("typeof owned") == "undefined"
    for target in ("#table thead button", "#table tbody button", "#table tbody a", "#picture .point"):
        for number in range(seen.page.locator(target).count()):
            seen.page.locator(target).nth(number).dispatch_event("click")
    assert seen.page.evaluate("typeof owned") == "undefined" and seen.said == [] and len(seen.asked) == 1
    assert seen.page.locator("img, iframe, object, [onclick], [onerror]").count() == 0
    page = index.read_text(encoding="utf-8")
    plain = page_of(whole(), tmp_path).read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == plain.count("<script")
    for data in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        json.loads(data, parse_constant=no_number)
    seen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_it_without_sideways_scrolling(browser: Any, index: Path, scheme: str) -> None:
    seen = Seen(browser, index, viewport={"width": 360, "height": 700}, color_scheme=scheme, has_touch=True)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    back = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    seen.page.locator("#picture .point").first.tap()
    assert seen.text("#tip") != ""
    seen.close()


def test_it_prints_without_its_controls(seen: Seen) -> None:
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("#choose").is_visible() and seen.page.locator("#table").is_visible()
    seen.page.emulate_media(media="screen")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(browser: Any, tmp_path: Path, scheme: str) -> None:
    few = [found for found in whole() if found.case.model in ("vgg16", "resnet18", "nin")]
    index = page_of(few, tmp_path)
    axe = Path(pytest.importorskip("axe_core_python").__file__).parent / "axe.min.js"
    seen = Seen(browser, index, hash_=f"#pin=vgg16&pin={quote('resnet18')}&open=vgg16&max_latency_ms=50",
                color_scheme=scheme)  # fmt: skip
    seen.page.evaluate(axe.read_text())
    grave = seen.page.evaluate(
        "axe.run({resultTypes: ['violations']}).then((found) => found.violations"
        ".filter((each) => ['serious', 'critical'].includes(each.impact))"
        ".map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 200)}`))"
    )
    assert grave == []
    seen.close()
