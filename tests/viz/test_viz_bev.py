from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from oracles.real_nuscenes import keyframe_dataset
from viz_scenes import BOXES, RANGE_M, answers, empty, street, targets_of

from bev3d.boxes import corners_bev
from bev3d.data import DETECTION_CLASSES, KITTI_CLASSES, Detections, KittiDataset, NuScenesDataset, Sample
from bev3d.viz import bev_figure, class_colours, overview_figure, save_figure


def by_gid(axes: Any, prefix: str) -> list[Any]:
    return [artist for artist in axes.get_children() if str(artist.get_gid() or "").startswith(prefix)]


def pixels(figure: Any) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba(), dtype=np.float64)[::-1, :, :3] / 255  # row 0 at the bottom


def nearest_colour(image: np.ndarray, axes: Any, xy: Sequence[float], colour: str) -> float:
    """Least distance of a colour to the pixels within 2 of a place in metres."""
    column, row = (round(float(v)) for v in axes.transData.transform(xy))
    window = image[row - 2 : row + 3, column - 2 : column + 3]
    return float(np.abs(window - np.array(to_rgb(colour))).max(axis=-1).min())


def test_every_box_is_drawn_once_in_the_colour_of_its_class() -> None:
    axes = bev_figure(street()).axes[0]
    patches = by_gid(axes, "truth:")
    polygons = [patch for patch in patches if hasattr(patch, "get_xy")]
    assert len(polygons) == len(BOXES)
    colours = class_colours(("car", "pedestrian", "bicycle"))
    drawn = [to_hex(patch.get_edgecolor()) for patch in polygons]
    assert drawn == [colours[name] for name in ("car", "pedestrian", "bicycle", "other")]
    for patch, corners in zip(polygons, corners_bev(BOXES), strict=True):
        np.testing.assert_allclose(patch.get_xy()[:4], corners)


def test_box_edges_appear_at_their_pixels_and_nowhere_else() -> None:
    sample = street(points=0)
    figure = bev_figure(sample, range_m=RANGE_M)
    image, axes = pixels(figure), figure.axes[0]
    blue = class_colours(sample.class_names)["car"]
    corners = corners_bev(BOXES)[0]
    for i in range(4):
        middle = (corners[i] + corners[(i + 1) % 4]) / 2
        assert nearest_colour(image, axes, middle, blue) < 0.12
    assert nearest_colour(image, axes, (-10, -10), blue) > 0.3


def test_a_heading_tick_points_forward() -> None:
    axes = bev_figure(street()).axes[0]
    (ticks,) = by_gid(axes, "truth:heading")
    start, end = np.array(ticks.get_segments()).transpose(1, 0, 2)
    np.testing.assert_allclose(start, BOXES[:, :2])
    way = end - start
    np.testing.assert_allclose(np.arctan2(way[:, 1], way[:, 0]), BOXES[:, 6], atol=1e-12)
    assert (np.linalg.norm(way, axis=1) > BOXES[:, 3] / 2).all()


def test_detections_from_the_threshold_on_are_dashed_and_carry_their_score() -> None:
    axes = bev_figure(street(), detections=answers(), score_threshold=0.5).axes[0]
    found = [patch for patch in by_gid(axes, "detection:") if hasattr(patch, "get_xy")]
    assert len(found) == 2
    assert all(patch.get_linestyle() != "-" and patch.get_facecolor()[3] == 0 for patch in found)
    assert [text.get_text() for text in by_gid(axes, "score")] == [".90", ".50"]


def test_the_header_counts_what_is_out_of_view() -> None:
    figure = bev_figure(street(), detections=answers(), range_m=(0, -16, -3, 28, 24, 3), score_threshold=0.4)
    line = figure.texts[1].get_text()
    assert "4 ground-truth boxes (1 out of view)" in line
    assert "2 detections with score ≥ 0.4 (1 out of view)" in line


def test_only_finite_and_real_velocities_are_drawn() -> None:
    axes = bev_figure(street()).axes[0]
    (ways,) = by_gid(axes, "truth:motion")
    np.testing.assert_allclose(ways.get_segments(), [[BOXES[0, :2], BOXES[0, :2] + BOXES[0, 7:]]])


def test_offset_arrows_start_at_the_cells_corner_and_end_at_the_centre() -> None:
    figure = bev_figure(street(), targets=targets_of(street()), range_m=RANGE_M)
    (arrows,) = by_gid(figure.axes[1], "offsets")
    start = np.column_stack([arrows.X, arrows.Y])
    np.testing.assert_allclose((start - RANGE_M[:2]) / 0.4, np.round((start - RANGE_M[:2]) / 0.4), atol=1e-9)
    np.testing.assert_allclose(start + np.column_stack([arrows.U, arrows.V]), BOXES[:3, :2], atol=1e-5)


def test_the_heatmap_lies_where_the_boxes_are() -> None:
    figure = bev_figure(street(points=0), targets=targets_of(street()), range_m=RANGE_M)
    (image,) = by_gid(figure.axes[1], "heatmap")
    x0, x1, y0, y1 = image.get_extent()
    values = image.get_array()
    row = int((BOXES[0, 1] - y0) / (y1 - y0) * values.shape[0])
    column = int((BOXES[0, 0] - x0) / (x1 - x0) * values.shape[1])
    assert image.origin == "lower"
    assert values[row, column] == 1


def test_the_overview_has_close_ups_of_different_classes() -> None:
    figure = overview_figure(street(), detections=answers(), targets=targets_of(street()), range_m=RANGE_M)
    titles = [axes.get_title(loc="left") for axes in figure.axes[2:] if axes.get_visible()]
    assert {title.split(" · ")[0] for title in titles} == {"car", "pedestrian", "bicycle"}


def test_the_overview_of_a_predicted_heatmap_without_peaks_hides_its_close_ups() -> None:
    figure = overview_figure(street(), heatmap=np.zeros((3, 100, 120)), range_m=RANGE_M)
    assert [axes.get_visible() for axes in figure.axes[2:]] == [False, False, False]
    figure.canvas.draw()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_an_empty_sample_gives_an_empty_picture(theme: str, tmp_path: Path) -> None:
    nothing = Detections("empty", np.zeros((0, 9)), np.zeros(0), np.zeros(0, np.int64), ("car",))
    figure = bev_figure(empty(), detections=nothing, theme=theme)
    assert isinstance(figure.canvas, FigureCanvasAgg)
    assert save_figure(figure, tmp_path / "empty.png").stat().st_size > 1000


def test_a_box_that_is_not_finite_is_left_out() -> None:
    sample = street()
    sample.boxes[1, 6] = np.nan
    axes = bev_figure(sample).axes[0]
    assert [p.get_gid() for p in by_gid(axes, "truth:") if hasattr(p, "get_xy")] == ["truth:0", "truth:1", "truth:2"]


def test_points_that_are_not_finite_do_no_harm() -> None:
    sample = street()
    sample.points[:5] = np.nan
    bev_figure(sample).canvas.draw()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="theme: expected one of dark, light, got 'blue'"):
        bev_figure(street(), theme="blue")
    with pytest.raises(ValueError, match="range_m: expected x0, y0, z0, x1, y1, z1 with x0 < x1"):
        bev_figure(street(), range_m=(10, 0, 0, 0, 5, 5))
    with pytest.raises(ValueError, match="range_m: expected"):
        bev_figure(street(), heatmap=np.zeros((4, 4)))


def test_a_picture_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = bev_figure(empty())
    with pytest.raises(ValueError, match="not supported"):
        save_figure(figure, tmp_path / "picture.nothing")
    assert list(tmp_path.iterdir()) == []
    save_figure(figure, tmp_path / "picture.png")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def points_in_outlines(sample: Sample) -> list[int]:
    """How many of the drawn points lie within each drawn outline of the ground truth."""
    axes = bev_figure(sample).axes[0]
    (points,) = by_gid(axes, "points")
    outlines = [patch for patch in by_gid(axes, "truth:") if hasattr(patch, "get_xy")]
    paths = [outline.get_path().transformed(outline.get_patch_transform()) for outline in outlines]
    return [int(path.contains_points(points.get_offsets()).sum()) for path in paths]


def test_boxes_of_a_real_kitti_frame_sit_on_their_points(kitti_root: Path) -> None:
    dataset = KittiDataset(kitti_root, split="val", class_names=KITTI_CLASSES)
    inside = points_in_outlines(dataset[list(dataset.tokens).index("000008")])
    assert len(inside) == 6
    assert min(inside) > 20


def test_boxes_of_the_real_nuscenes_key_frame_sit_on_their_points(real_data: Path, tmp_path: Path) -> None:
    root = keyframe_dataset(real_data, tmp_path)
    sample = NuScenesDataset(root, split="mini_train", class_names=DETECTION_CLASSES, sweeps=1, frame="level")[0]
    inside = np.array(points_in_outlines(sample))
    assert len(inside) == 69
    # upright boxes: seen from above, each holds at least the points that its label counts, 1,009 in all
    assert (inside >= sample.num_points).all()
