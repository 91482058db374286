"""What the page to explore promises, tried in a real browser: its size, its speed, its silence, and three questions.

Three pages: that of the records in this folder, the same with every time in four runtimes and two precisions, and one
of a thousand ways made up for the purpose.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.tasks import Benchmark

__all__ = ["BENCHMARK", "bars", "measure"]

HERE, WAYS, MANY = "shipped", "ways", "thousand"
LARGEST = {HERE: 700_000, WAYS: 700_000, MANY: 3_000_000}  # bytes
TITLES = {HERE: "the shipped page", WAYS: "four runtimes in two precisions", MANY: "a thousand rows"}
SLOWEST_MS = 50.0  # of sorting and of moving a slider
REPETITIONS = 15
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REFERENCE = Path("reports/reference/index.html")
RUNTIMES = ("eager", "packed", "onnxruntime", "openvino")
MADE_PRECISIONS = ("fp32", "int8")
# the questions of a stranger, and what answers each: what is clicked or typed, and words that are shown then
QUESTIONS = {
    "Which model for 20 ms?": (("#max_latency_ms", "20"),),
    "Why is VGG slow here?": (("#table a >> text=vgg16", ""),),
    "What did the paper claim?": (("#table a >> text=mobilenet_v1", ""),),
}
ANSWERS = {
    "Which model for 20 ms?": ("#remains", "Best: "),
    "Why is VGG slow here?": ("details.model[open]", "row by row"),
    "What did the paper claim?": ("details.model[open]", "What others printed"),
}
TIME = """(act) => {
  const times = [];
  for (let turn = 0; turn < %d; turn += 1) {
    const start = performance.now();
    act(turn);
    document.body.offsetHeight;
    times.push(performance.now() - start);
  }
  return times;
}"""

SETTLED = """() => new Promise((done) => {
  const start = performance.now();
  change({ sort: "model", down: "1" });
  const look = () => (toCome.length ? requestAnimationFrame(look) : done(performance.now() - start));
  look();
})"""


def measure(kind: str) -> dict[str, Any]:
    """What a browser says of a page, as JSON values.

    Raises:
        RuntimeError: no browser is installed, or no page is there to be tried.
    """
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        raise RuntimeError("no browser is installed; allowed: Chromium (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        path = MAKERS[kind](Path(folder))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(10_000)
            said: list[str] = []
            asked: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            found = {
                "bytes": path.stat().st_size,
                "rows": page.evaluate("rows.length"),
                "requests": len(asked) - 1,
                "errors": said,
                "sort_ms": page.evaluate(_timed('change({ sort: "latency_ms_p50", down: turn % 2 ? "1" : "" })')),
                "slider_ms": page.evaluate(_timed('limitTo("max_latency_ms", String(20 + turn))')),
                "settled_ms": page.evaluate(SETTLED),
                "clicks": _asked(page) if kind == HERE else {},
            }
            browser.close()
    return found


def _timed(act: str) -> str:
    """A script that returns the milliseconds of an act, with the layout that follows it."""
    return f"() => ({TIME % REPETITIONS})((turn) => {{ {act} }})"


def _asked(page: Any) -> dict[str, int]:
    """How many clicks and entries it takes until each question is answered; 0 where it is not."""
    found = {}
    for question, steps in QUESTIONS.items():
        page.locator("#reset").click()
        for target, typed in steps:
            if typed:
                page.locator(target).fill(typed)
            else:
                page.locator(target).first.click()
        where, words = ANSWERS[question]
        shown = page.locator(where).last.inner_text()
        found[question] = len(steps) if words in shown else 0
        page.evaluate("document.querySelectorAll('details.model').forEach((each) => { each.open = false })")
    return found


def _shipped(_folder: Path) -> Path:
    return REFERENCE.resolve()


def _in_all_ways(folder: Path) -> Path:
    """The page of the shipped records, with every network's time as in each runtime and precision, and the studies."""
    from benchmarks.records.environment import read_environment
    from benchmarks.records.store import RECORDS, read_records
    from benchmarks.report import write_report

    shipped = REFERENCE.parent
    (folder / "studies").mkdir()
    for path in shipped.glob("studies/*.md"):
        shutil.copyfile(path, folder / path.relative_to(shipped))
    records = read_records(shipped / RECORDS).records
    usual = [each for each in records if each.case.metric == "latency" and each.case.runtime == "eager"]
    ways = [
        dataclasses.replace(each, case=dataclasses.replace(each.case, runtime=runtime, precision=precision))
        for each in usual
        for runtime in RUNTIMES
        for precision in MADE_PRECISIONS
    ]
    others = [each for each in records if each.case.metric != "latency"]
    write_report([*others, *ways], read_environment(shipped), folder)
    return folder / REFERENCE.name


def _thousand(folder: Path) -> Path:
    """The page of a thousand ways."""
    from benchmarks.report.html import write_index
    from benchmarks.report.overview import survey

    noise = random.Random(0)
    machine = Environment(machine={"cpu": "made up", "cores": 2}, software={})
    records = []
    for place in range(250):
        model = f"mobilenet_v1:width={0.1 + place * 1e-3:.3f}"
        records.append(_record(machine, Case(metric="params", model=model), "param_count", 4e6 + place))
        for runtime in RUNTIMES:
            seconds = noise.uniform(0.005, 0.1)
            case = Case(metric="latency", model=model, runtime=runtime, img_size=224, num_threads=2)
            records.append(_record(machine, case, "latency_s", seconds, 0.97 * seconds, 1.03 * seconds))
    return write_index(survey(records, machine, asked={record.case.model for record in records}), folder, [])


def _record(machine: Environment, case: Case, name: str, value: float, *ends: float) -> Record:
    low, high = ends or (None, None)
    found = Measurement(name=name, value=value, unit="s" if ends else "count", low=low, high=high)
    return Record(case=case, status="ok", measurements=(found,), environment=machine.id, machine=machine.machine_id)


MAKERS = {HERE: _shipped, WAYS: _in_all_ways, MANY: _thousand}


def _small(most: int, case: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{case['bytes'] / 1e3:,.0f} KB", case["bytes"] <= most


def bars(cases: Cases) -> list[Bar]:
    """What was asked of the page."""
    found = [
        judged(
            f"{title}: at most {LARGEST[kind] / 1e3:,.0f} KB",
            cases.get(kind),
            partial(_small, LARGEST[kind]),
        )
        for kind, title in TITLES.items()
    ]
    for kind, title in TITLES.items():
        found += [
            judged(f"{title}: no request, no complaint", cases.get(kind), _silent),
            judged(f"{title}: sorted within {SLOWEST_MS:g} ms", cases.get(kind), partial(_quick, "sort_ms")),
            judged(f"{title}: a slider moved within {SLOWEST_MS:g} ms", cases.get(kind), partial(_quick, "slider_ms")),
        ]
    return [*found, judged("three questions answered within 3 clicks each", cases.get(HERE), _answered)]


def _silent(case: Mapping[str, Any]) -> tuple[str, bool]:
    requests, errors = case["requests"], len(case["errors"])
    return f"{requests} and {errors}", requests == errors == 0


def _quick(name: str, case: Mapping[str, Any]) -> tuple[str, bool]:
    middle = statistics.median(case[name])
    return f"{middle:.0f} ms", middle <= SLOWEST_MS


def _answered(case: Mapping[str, Any]) -> tuple[str, bool]:
    clicks = list(case["clicks"].values())
    return ", ".join(map(str, clicks)), bool(clicks) and all(0 < count <= 3 for count in clicks)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    columns = (
        text_column("page", itemgetter(0)),
        TableColumn("rows", itemgetter(1), 0),
        TableColumn("KB", itemgetter(2)),
        TableColumn("sorting, ms", itemgetter(3), 2),
        TableColumn("slider, ms", itemgetter(4), 2),
        TableColumn("all rows in their new order, ms", itemgetter(5), 2),
    )
    rows = [
        (
            kind,
            case["rows"],
            case["bytes"] / 1e3,
            *(statistics.median(case[name]) for name in ("sort_ms", "slider_ms")),
            case.get("settled_ms"),
        )
        for kind, case in cases.items()
    ]
    yield section("Sizes and times", "", table(columns, rows))
    clicks = cases.get(HERE, {}).get("clicks", {})
    steps = {question: " then ".join(f"type {typed} into `{target}`" if typed else f"click `{target}`"
             for target, typed in QUESTIONS[question]) for question in clicks}  # fmt: skip
    asked = (text_column("question", itemgetter(0)), text_column("what to do", itemgetter(1)),
             TableColumn("steps", itemgetter(2), 0))  # fmt: skip
    yield section("Three questions", "", table(asked, [(each, steps[each], clicks[each]) for each in clicks]))


BENCHMARK = Benchmark(
    name="page",
    description="Size, speed and silence of index.html in a real browser, and three questions it answers.",
    tasks={kind: partial(measure, kind) for kind in MAKERS},
    page=CheckPage(
        title="The page to explore",
        remark="index.html, opened from disk in Chromium with the network cut off.",
        method=f"Median of {REPETITIONS} times, each with the layout that follows at once; a window of 1280 x 900 "
        "pixels. Of a long table the first rows, more than the window shows, are laid out at once and the others frame "
        "after frame; how long that takes is the last column of the sizes and times, once each.",
        bars=bars,
        sections=_sections,
    ),
)
