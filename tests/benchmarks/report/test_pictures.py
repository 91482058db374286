"""Pictures: equal data gives equal bytes, labels cover nothing, and what is shown belongs to the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.collections import LineCollection

from benchmarks.metrics import derived
from benchmarks.records.record import Record
from benchmarks.report import drawing, figures, page, pictures, write_report
from benchmarks.report.drawing import Drawing
from benchmarks.report.overview import survey
from benchmarks.report.pictures import PICTURES, accuracy_latency, accuracy_mult_adds, mobilenet_grid
from tests.benchmarks.report.made import (
    ENVIRONMENT,
    MODELS,
    accuracy,
    chosen,
    counted,
    full_records,
    latency,
    page_of,
)

USUAL = {*PICTURES} - {"confusion", "confusion_scratch"}  # which somebody's own images have


def pictures_of_latency(records: list[Record]) -> Drawing:
    drawn = pictures.latency(survey([derived(each) for each in records], ENVIRONMENT))
    assert drawn is not None
    return drawn


class TestFiles:
    def test_a_picture_is_drawn_again_only_when_it_would_change(
        self, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn: list[str] = []
        monkeypatch.setattr(
            drawing, "render", lambda draw, data, mark="": (drawn.append(mark), (mark.encode(), b""))[1]
        )
        write_report(full_records(), ENVIRONMENT, tmp_path)
        assert len(drawn) == len(USUAL)
        write_report(full_records(), ENVIRONMENT, tmp_path)
        assert len(drawn) == len(USUAL)
        write_report([*full_records(), accuracy("resnet18", 0.5, seed=-1)], ENVIRONMENT, tmp_path)
        assert len(drawn) > len(USUAL)

    @pytest.mark.usefixtures("undrawn")
    def test_a_picture_without_data_goes(self, tmp_path: Path) -> None:
        write_report(chosen("vgg16", "alexnet"), ENVIRONMENT, tmp_path)
        write_report([], ENVIRONMENT, tmp_path)
        assert not list((tmp_path / "figures").iterdir())

    def test_a_picture_that_fails_costs_no_page(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(draw: object, data: object, mark: str = "") -> tuple[bytes, bytes]:
            raise RuntimeError("no fonts")

        monkeypatch.setattr(drawing, "render", fail)
        page = page_of(chosen("vgg16", "alexnet"), tmp_path)
        assert "## The comparison" in page and "figures/" not in page
        assert "figures/latency cannot be drawn: RuntimeError: no fonts\n" in capsys.readouterr().err

    @pytest.mark.usefixtures("undrawn")
    def test_files_are_replaced_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_report(chosen("vgg16"), ENVIRONMENT, tmp_path)
        before = (tmp_path / "README.md").read_text()

        def full(path: Path, content: str | bytes) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(page, "write_own", full)
        with pytest.raises(OSError, match="No space"):
            write_report(chosen("alexnet"), ENVIRONMENT, tmp_path)
        assert (tmp_path / "README.md").read_text() == before


class TestPictures:
    @pytest.mark.parametrize("make", [accuracy_mult_adds, accuracy_latency])
    def test_no_label_covers_another_or_leaves_the_picture(self, make: type) -> None:
        picture = make(survey(full_records(), ENVIRONMENT))
        figure = picture.draw(picture.data)
        axes = figure.axes[0]
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == len(picture.data["points"]) >= len(MODELS) - 2  # of two no accuracy is published
        frame = axes.get_window_extent()
        for place, box in enumerate(boxes):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            for other in boxes[place + 1 :]:
                width = min(box.x1, other.x1) - max(box.x0, other.x0)
                height = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert min(width, height) < 2  # pixels

    def test_published_accuracy_stands_in_where_none_was_measured(self) -> None:
        static = [found for found in full_records() if found.case.metric in ("params", "mult_adds")]
        static += [latency(model, 0.1) for model in MODELS]
        picture = accuracy_mult_adds(survey(static, ENVIRONMENT))
        assert picture is not None and picture.data["y"].startswith("Published ImageNet")

    def test_the_grid_has_sixteen_cells_counted_and_printed(self) -> None:
        picture = mobilenet_grid(survey(full_records(), ENVIRONMENT))
        assert picture is not None and len(picture.data["cells"]) == 16
        assert "16 of the 16" in picture.caption
        corner = picture.data["cells"][0]
        assert corner["measured_params"] == 4_231_976 and corner["mult_adds"] == 569e6

    def test_a_time_of_few_rounds_has_no_whisker(self) -> None:
        drawn = pictures_of_latency([latency("resnet18", 0.04), latency("alexnet", 0.02, turns=6)])
        (whiskers,) = (each for each in drawn.draw(drawn.data).axes[0].collections if isinstance(each, LineCollection))
        assert [len(segment) for segment in whiskers.get_segments()] == [0, 2]  # alexnet, the faster, is above
        assert "where there are rounds enough for one" in drawn.caption
        assert "rounds enough" not in pictures_of_latency([latency("resnet18", 0.04)]).caption

    def test_one_model_alone(self) -> None:
        overview = survey(chosen("vgg16"), ENVIRONMENT)
        drawable = {name for name, make in PICTURES.items() if make(overview)}
        assert drawable == {"latency", "learning_curves"}

    def test_the_picture_of_mobilenets_is_of_runs_with_mobilenets(self) -> None:
        assert mobilenet_grid(survey(chosen("vgg16", "resnet18"), ENVIRONMENT)) is None
        assert mobilenet_grid(survey(chosen("mobilenet_v1"), ENVIRONMENT)) is None  # one alone is no grid
        two = [counted("mobilenet_v1:width=0.5", 1.3e6), counted("mobilenet_v1", 4.2e6)]
        assert mobilenet_grid(survey(two, ENVIRONMENT)) is not None

    def test_bubbles_are_as_large_as_the_largest_network_shown(self) -> None:
        small = [("mobilenet_v1:width=0.25", 0.47e6), ("mobilenet_v1:width=0.5", 1.33e6)]
        radii = [figures._bubble_radius(params, small[-1][1]) for _, params in small]
        assert radii[1] == figures.LARGEST and (radii[0] / radii[1]) ** 2 == pytest.approx(0.47 / 1.33)

    def test_variants_are_told_apart_in_every_picture(self) -> None:
        names = [f"mobilenet_v1:resolution={side},width=0.75" for side in (160, 192)]
        records = [
            found for name in names for found in (latency(name, 0.01), accuracy(name, 0.8), counted(name, 2.6e6))
        ]
        overview = survey(records, ENVIRONMENT)
        for name in ("latency", "learning_curves"):
            drawing = PICTURES[name](overview)
            assert drawing is not None
            figure = drawing.draw(drawing.data)
            texts = [
                text.get_text()
                for axes in figure.axes
                for text in (*axes.get_yticklabels(), axes.title, axes._left_title)
            ]
            assert any("160" in text for text in texts) and any("192" in text for text in texts)
