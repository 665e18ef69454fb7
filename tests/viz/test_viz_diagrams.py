"""Diagrams of an evaluation show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from bev3d.viz import class_colours, confusion_figure, gain_figure, interval_figure, panel_figure

NAMES = ["car", "traffic_cone", "background"]
COUNTS = np.array([[12, 3, 1], [0, 0, 4], [5, 2, 0]])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_count_of_a_confusion_stands_in_its_cell(theme: str) -> None:
    figure = confusion_figure(NAMES, COUNTS, theme=theme)
    axes = figure.axes[0]
    shown = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert shown == {(int(r), int(c)): str(COUNTS[r, c]) for r, c in np.argwhere(COUNTS)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["car", "traffic cone", "no object"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["car", "traffic cone", "missed"]
    figure.canvas.draw()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_counts_can_be_read_on_every_colour(theme: str) -> None:
    """Contrast of at least 4.5 to 1 between ink and cell (WCAG 2)."""
    counts = np.array([[100 - k, k] for k in range(0, 101, 5)])
    size = len(counts)
    square = np.zeros((size, size), dtype=np.int64)
    square[:, :2] = counts
    figure = confusion_figure([f"c{i}" for i in range(size)], square, theme=theme)
    (image,) = figure.axes[0].images
    cells = np.asarray(image.get_array())

    def luminance(colour: np.ndarray) -> float:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for text in figure.axes[0].texts:
        column, row = text.get_position()
        ink = np.array([int(text.get_color()[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        bright, dim = sorted((luminance(ink), luminance(cells[int(row), int(column), :3])), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) > 4.5, (text.get_text(), theme)


def test_a_confusion_has_the_size_of_its_names() -> None:
    with pytest.raises(ValueError, match=r"counts: expected shape \(3, 3\) for 3 names, got \(2, 2\)"):
        confusion_figure(NAMES, COUNTS[:2, :2])


def test_gains_are_bars_in_percent() -> None:
    figure = gain_figure({"missed": {"mAP": 0.25, "NDS": 0.1}, "both": {"mAP": 0.0, "NDS": float("nan")}})
    axes = figure.axes[0]
    assert [round(bar.get_width(), 9) for bar in axes.patches] == [25, 0, 10, 0]
    assert [text.get_text().strip() for text in axes.texts] == ["+25.00", "+0.00", "+10.00"]
    figure.canvas.draw()
    gain_figure({}).canvas.draw()


def test_gains_of_nothing_have_a_scale_of_percents() -> None:
    for value in (0.0, float("nan")):
        low, high = gain_figure({"missed": {"mAP": value}}).axes[0].get_xlim()
        assert low == 0
        assert high >= 1


def test_clear_differences_are_coloured() -> None:
    rows = [("car", 2.0, 1.0, 3.0), ("bus", -2.0, -3.0, -1.0), ("truck", 0.5, -1.0, 2.0), ("van", float("nan"), 0, 0)]
    axes = interval_figure(rows).axes[0]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and list(line.get_xdata()) != [0, 0]]
    assert [list(line.get_xdata()) for line in bars] == [[1, 3], [-3, -1], [-1, 2]]
    assert len({line.get_color() for line in bars}) == 3
    assert [label.get_text() for label in axes.get_yticklabels()] == ["car", "bus", "truck"]


def test_panels_share_lines_and_colours() -> None:
    line = ([0.0, 0.5, 1.0], [1.0, 0.5, float("nan")])
    panels = {f"class_{i}": {"car": line, "bus": line} for i in range(7)}
    figure = panel_figure(panels, title="Seven", columns=5, lines_are_classes=True)
    assert len(figure.axes) == 7
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"class {i}" for i in range(7)]
    assert all(len(axes.lines) == 2 and len(axes.lines[0].get_xdata()) == 2 for axes in figure.axes)
    assert figure.axes[0].lines[0].get_color() == class_colours(["car", "bus"])["car"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["car", "bus"]
    bottoms = {round(axes.get_position().y0, 6) for axes in figure.axes}
    assert len(bottoms) == 2
    assert all(axes.get_position().y0 > 0 and axes.get_position().x1 <= 1 for axes in figure.axes)
    figure.canvas.draw()


def test_panels_refuse_lines_of_two_lengths() -> None:
    with pytest.raises(ValueError, match="expected as many x as y for 'car', got 2 and 1"):
        panel_figure({"a": {"car": ([0, 1], [1])}}, title="x")
    panel_figure({}, title="none").canvas.draw()
