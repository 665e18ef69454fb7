"""Order and number of the points, and the augmentation that joins everything."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from augment_worlds import points_around, random_boxes

from bev3d.augment import (
    CENTERPOINT_NUSCENES,
    OPENPCDET_KITTI,
    Augmentation,
    AugmentSettings,
    drop_object_points,
    drop_points,
    flip_scene,
    rotate_scene,
    scale_scene,
    settings_from_config,
    shuffle_points,
    translate_scene,
)
from bev3d.config import load_config
from bev3d.points import points_in_boxes


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    boxes, labels = random_boxes(8, rng)
    return points_around(boxes, rng), boxes, labels


def _rows(points: np.ndarray) -> list[bytes]:
    return sorted(row.tobytes() for row in points)


def test_shuffling_keeps_every_row_whole(scene: tuple) -> None:
    points = scene[0]
    shuffled = shuffle_points(points, np.random.default_rng(0))
    assert _rows(shuffled) == _rows(points)
    assert (shuffled != points).any(axis=1).mean() > 0.9


def test_dropping_leaves_about_the_fraction_and_the_order(scene: tuple) -> None:
    points = np.arange(50_000, dtype=np.float32)[:, None] * np.ones(5, np.float32)
    kept = drop_points(points, np.random.default_rng(0), 0.3)
    assert len(kept) == pytest.approx(35_000, abs=5 * np.sqrt(50_000 * 0.21))
    assert (np.diff(kept[:, 0]) > 0).all()
    np.testing.assert_array_equal(drop_points(points, np.random.default_rng(0), 0.0), points)


def test_dropping_from_objects_leaves_all_else(scene: tuple) -> None:
    points, boxes, _ = scene
    owner = points_in_boxes(points, boxes)
    kept = drop_object_points(points, boxes, np.random.default_rng(0), 0.5)
    owner_after = points_in_boxes(kept, boxes)
    np.testing.assert_array_equal(kept[owner_after < 0], points[owner < 0])
    share = (owner_after >= 0).sum() / (owner >= 0).sum()
    assert share == pytest.approx(0.5, abs=0.15)
    none = drop_object_points(points, boxes[:0], np.random.default_rng(0), 0.5)
    np.testing.assert_array_equal(none, points)


def test_one_step_for_all_motions_equals_one_after_the_other(scene: tuple) -> None:
    points, boxes, labels = scene
    made = Augmentation(replace(CENTERPOINT_NUSCENES, shuffle=False))(points, boxes, labels, np.random.default_rng(3))
    random = np.random.default_rng(3)
    expected = points.astype(np.float64), boxes
    for axis in ("x", "y"):
        if random.random() < 0.5:
            expected = flip_scene(*expected, axis)  # type: ignore[arg-type]
    expected = rotate_scene(*expected, float(random.uniform(-np.pi / 4, np.pi / 4)))
    expected = scale_scene(*expected, float(random.uniform(0.95, 1.05)))
    expected = translate_scene(*expected, tuple(0.5 * random.standard_normal(3)))  # type: ignore[arg-type]
    np.testing.assert_allclose(made.points, expected[0], atol=1e-5)
    np.testing.assert_allclose(made.boxes, expected[1], atol=1e-12)
    np.testing.assert_array_equal(made.labels, labels)
    assert made.entries.shape == (0,)


def test_the_generator_decides_and_inputs_stay(scene: tuple) -> None:
    kept = [value.copy() for value in scene]
    settings = replace(CENTERPOINT_NUSCENES, drop_fraction=0.1, object_drop_fraction=0.2)
    one, two, other = (Augmentation(settings)(*scene, np.random.default_rng(seed)) for seed in (5, 5, 6))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(one.points) != len(other.points) or (one.points != other.points).any()
    assert len(one.points) < len(scene[0])
    for value, before in zip(scene, kept, strict=True):
        np.testing.assert_array_equal(value, before)


def test_a_step_that_is_off_draws_nothing_and_changes_nothing(scene: tuple) -> None:
    random = np.random.default_rng(0)
    made = Augmentation(AugmentSettings())(*scene, random)
    assert all(a is b for a, b in zip(made[:3], scene, strict=True))
    assert random.random() == np.random.default_rng(0).random()


def test_settings_of_a_config() -> None:
    kitti = replace(load_config("kitti_3class"), flip=True, rotate_rad=0.35, scale_range=0.05)
    assert settings_from_config(kitti) == AugmentSettings(flip_axes=("y",), rotate_rad=0.35, scale_range=0.05)
    nuscenes = load_config("synthetic_nuscenes")
    assert settings_from_config(replace(nuscenes, flip=True)).flip_axes == ("x", "y")
    assert settings_from_config(replace(nuscenes, flip=False)).flip_axes == ()
    assert OPENPCDET_KITTI.flip_axes == ("y",)  # a forward view is never mirrored along it


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"flip_axes": ("z",)}, r"flip_axes: expected 'x' and 'y', each once at most, got \('z',\)"),
        ({"flip_axes": ("x", "x")}, "flip_axes"),
        ({"rotate_rad": -0.1}, "rotate_rad: expected a number >= 0, got -0.1"),
        ({"rotate_rad": np.nan}, "rotate_rad"),
        ({"scale_range": 1.0}, r"scale_range: expected a number in \[0, 1\), got 1.0"),
        ({"translate_std_m": (1.0, 2.0)}, "translate_std_m: expected three numbers >= 0"),
        ({"translate_std_m": (1.0, 2.0, -1.0)}, "translate_std_m"),
        ({"drop_fraction": 1.0}, r"drop_fraction: expected a number in \[0, 1\), got 1.0"),
        ({"object_drop_fraction": -0.5}, "object_drop_fraction"),
    ],
)
def test_impossible_amounts(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        AugmentSettings(**options)


def test_impossible_fractions(scene: tuple) -> None:
    with pytest.raises(ValueError, match=r"fraction: expected a number in \[0, 1\), got 1.5"):
        drop_points(scene[0], np.random.default_rng(0), 1.5)
    with pytest.raises(ValueError, match="fraction: expected"):
        drop_object_points(scene[0], scene[1], np.random.default_rng(0), np.nan)


def test_defaults_change_nothing() -> None:
    assert {field.name for field in fields(AugmentSettings) if getattr(AugmentSettings(), field.name)} == {
        "translate_std_m"  # three zeros
    }
