import numpy as np
import pytest

from bev3d.viz import class_colours, loss_figure, precision_recall_figure, score_figure


def test_losses_are_named_at_their_ends_and_bad_values_left_out() -> None:
    steps = list(range(10, 110, 10))
    falling = [10 / step for step in steps]
    broken = [*falling[:-1], float("nan")]
    figure = loss_figure({"total": (steps, falling), "heatmap": (steps, broken), "iou": (steps, [0.0] * 10)})
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert {text.get_text().split()[0] for text in axes.texts} == {"heatmap", "total"}  # a loss of 0 has no logarithm
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert len(drawn["heatmap"].get_xdata()) == 9
    figure.canvas.draw()


def test_losses_need_as_many_values_as_steps() -> None:
    with pytest.raises(ValueError, match="expected as many x as y for 'total', got 2 and 1"):
        loss_figure({"total": ([1, 2], [1.0])})


def test_an_empty_log_is_an_empty_chart() -> None:
    loss_figure({}).canvas.draw()
    score_figure({}).canvas.draw()
    precision_recall_figure({}).canvas.draw()


def test_bars_have_the_length_and_colour_of_their_class() -> None:
    axes = score_figure({"car": 0.7, "trailer": float("nan"), "bus": 0.0}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.0, 0.0]
    assert [text.get_text() for text in axes.texts] == ["0.700", "no ground truth", "0.000"]
    blue = class_colours(["car"])["car"]
    assert np.allclose(axes.patches[0].get_facecolor()[:3], [int(blue[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def test_precision_over_recall() -> None:
    axes = precision_recall_figure({"car": ([0, 0.5, 1], [1, 0.8, float("nan")])}).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 1], [0.5, 0.8]])
