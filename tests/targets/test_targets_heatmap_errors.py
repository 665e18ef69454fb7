"""What the target generator refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bev3d.targets import HeatmapTargets

GRID: dict[str, Any] = {"range_m": (-16.0, -12.0, -3.0, 16.0, 12.0, 3.0), "voxel_size_m": (0.2, 0.2, 6.0), "stride": 2}


def _generator(**options: Any) -> HeatmapTargets:
    return HeatmapTargets(**{"tasks": [["car"], ["bus", "truck"], ["pedestrian"]], **GRID, **options})


LABEL = np.array([0])


@pytest.mark.parametrize(
    ("boxes", "labels", "error", "text"),
    [
        ([np.zeros((1, 8))], [LABEL], ValueError, r"boxes\[0\]: expected shape .*7\) or .*9\), got \(1, 8\)"),
        ([np.ones(7)], [LABEL], ValueError, r"boxes\[0\]: expected shape \(N, 7\)"),
        ([np.ones((1, 7), np.int64)], [LABEL], TypeError, r"boxes\[0\]: expected a floating-point dtype"),
        ([[[1.0] * 7]], [LABEL], TypeError, r"boxes\[0\]: expected a NumPy array or a torch tensor, got list"),
        (np.ones((1, 1, 7)), [LABEL], TypeError, "boxes: expected a list over the batch, got ndarray"),
        ([np.ones((1, 7))], [], ValueError, "labels: expected 1 samples, as boxes, got 0"),
        ([np.ones((2, 7))], [LABEL], ValueError, r"labels\[0\]: expected shape \(2,\), as boxes, got \(1,\)"),
        ([np.ones((1, 7))], [np.array([0.0])], TypeError, r"labels\[0\]: expected integers, got float64"),
        ([np.ones((1, 7))], [[0]], TypeError, r"labels\[0\]: expected a NumPy array or a torch tensor, got list"),
        ([np.ones((0, 7)), np.ones((2, 7))], [LABEL[:0], np.array([3, 4])], ValueError,
         r"labels\[1\]: expected -1 or an index of the 4 classes, got 4 for box 1"),
        ([np.ones((1, 7))], [np.array([-2])], ValueError, r"labels\[0\]: .* got -2 for box 0"),
    ],
)  # fmt: skip
def test_bad_boxes_and_labels(boxes: Any, labels: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        _generator()(boxes, labels)


@pytest.mark.parametrize(("column", "value"), [(3, 0.0), (4, -1.0), (5, np.nan), (0, np.inf), (6, np.nan)])
def test_bad_ground_truth_is_named_by_sample_and_box(column: int, value: float) -> None:
    boxes = np.ones((3, 9))
    boxes[2, column] = value
    with pytest.raises(ValueError, match=r"boxes\[1\]: .*1 of 3 boxes differ \(2: "):
        _generator()([np.ones((2, 7)), boxes], [np.zeros(2, np.int64), np.zeros(3, np.int64)])


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"radius": "gauss"},
            ValueError,
            "radius: expected one of cornernet, legacy, sqrt_area, oriented, got 'gauss'",
        ),
        ({"radius": 3}, TypeError, "radius: expected a name or a callable, got int"),
        ({"min_overlap": 1.0}, ValueError, "min_overlap"),
        ({"min_radius": -1}, ValueError, "min_radius"),
        ({"max_objects": 0}, ValueError, "max_objects: expected an integer >= 1, got 0"),
        ({"tasks": [["car"], []]}, ValueError, "tasks: expected at least one class in every group"),
        ({"tasks": []}, ValueError, "tasks: expected at least one class"),
        ({"tasks": ["car", "bus"]}, TypeError, "tasks: expected a list of lists of class names"),
        ({"tasks": [["car"], ["car"]]}, ValueError, "tasks: expected every class once, got car more than once"),
        ({"stride": 0}, ValueError, "stride: expected an integer >= 1, got 0"),
        ({"stride": 2.0}, ValueError, "stride: expected an integer >= 1, got 2.0"),
        (
            {"stride": 7},
            ValueError,
            r"range_m: .* whole number of output cells of 0.2 \* 7 m along x, got 22.8571",
        ),
        ({"voxel_size_m": (0.2, 0.2)}, ValueError, "voxel_size_m: expected 3 numbers, got 2"),
        ({"voxel_size_m": (0.2, 0.0, 1.0)}, ValueError, "voxel_size_m: expected three sizes > 0"),
        ({"range_m": (0, 0, 0, 1)}, ValueError, "range_m: expected 6 numbers, got 4"),
        ({"range_m": (0, 0, 0, "a", 1, 1)}, TypeError, "range_m: expected 6 numbers"),
        ({"range_m": (0, 0, 1, 8, 8, -1)}, ValueError, "range_m: expected z0 < z1, got 1.0 and -1.0"),
    ],
)
def test_bad_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        _generator(**options)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda length, width: length[:0], r"radius: expected the callable to return shape \(1,\), got \(0,\)"),
        (lambda length, width: length * np.nan, "radius: expected finite radii, but the callable gave nan for box 0"),
    ],
)
def test_a_callable_radius_that_misbehaves(rule: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        _generator(radius=rule)([np.ones((1, 7))], [LABEL])
