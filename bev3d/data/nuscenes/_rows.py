"""Columns of the nuScenes tables that this library reads, as types."""

from __future__ import annotations

from typing import TypedDict

__all__ = [
    "REQUIRED_KEYS",
    "TABLE_NAMES",
    "AnnotationRow",
    "CalibratedSensorRow",
    "EgoPoseRow",
    "SampleDataRow",
    "SampleRow",
    "SceneRow",
]


class SceneRow(TypedDict):
    """About twenty seconds of driving."""

    token: str
    name: str
    first_sample_token: str


class SampleRow(TypedDict):
    """A key frame, annotated, two a second."""

    token: str
    timestamp: int
    prev: str
    next: str
    scene_token: str


class SampleDataRow(TypedDict):
    """One file of one sensor."""

    token: str
    sample_token: str
    ego_pose_token: str
    calibrated_sensor_token: str
    timestamp: int
    filename: str
    is_key_frame: bool
    prev: str
    next: str


class EgoPoseRow(TypedDict):
    """``global_from_ego`` at one time; metres and a quaternion w, x, y, z."""

    token: str
    translation: list[float]
    rotation: list[float]


class CalibratedSensorRow(TypedDict):
    """``ego_from_sensor``; metres and a quaternion w, x, y, z."""

    token: str
    sensor_token: str
    translation: list[float]
    rotation: list[float]
    camera_intrinsic: list[list[float]]


class AnnotationRow(TypedDict):
    """One box in the global frame; size is width, length, height."""

    token: str
    sample_token: str
    instance_token: str
    attribute_tokens: list[str]
    translation: list[float]
    size: list[float]
    rotation: list[float]
    prev: str
    next: str
    num_lidar_pts: int
    num_radar_pts: int


# Tables that only the devkit looks into must exist, but nothing is asked of their rows beyond a token.
REQUIRED_KEYS: dict[str, frozenset[str]] = {
    "category": frozenset({"token", "name"}),
    "attribute": frozenset({"token", "name"}),
    "visibility": frozenset({"token"}),
    "instance": frozenset({"token", "category_token"}),
    "sensor": frozenset({"token", "channel", "modality"}),
    "calibrated_sensor": CalibratedSensorRow.__required_keys__,
    "ego_pose": EgoPoseRow.__required_keys__,
    "log": frozenset({"token"}),
    "scene": SceneRow.__required_keys__,
    "sample": SampleRow.__required_keys__,
    "sample_data": SampleDataRow.__required_keys__,
    "sample_annotation": AnnotationRow.__required_keys__,
    "map": frozenset({"token"}),
}
TABLE_NAMES = tuple(REQUIRED_KEYS)
