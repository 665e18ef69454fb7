"""Which fields of the tables become columns, and of which kind they are."""

from __future__ import annotations

from dataclasses import dataclass

from bev3d.data.nuscenes._rows import REQUIRED_KEYS

__all__ = ["GROUPS", "LINKS", "SCHEMAS", "TEXT_TABLES", "Schema"]


@dataclass(frozen=True)
class Schema:
    """Fields of a table that are kept as columns; others are looked up in the text of a row.

    Attributes:
        links: token of a row elsewhere, by field, and the table it is in.
        lists: the same for lists of tokens, of which the first and their number are kept.
        vectors: as many numbers as the field's value says.
        wholes: whole numbers.
        flags: truth values.
        others: fields that have to be there and are not kept.
    """

    links: dict[str, str]
    lists: dict[str, str]
    vectors: dict[str, int]
    wholes: tuple[str, ...]
    flags: tuple[str, ...]
    others: tuple[str, ...]


_POSE = {"translation": 3, "rotation": 4}
_LINKS = {
    "instance": {"category_token": "category"},
    "calibrated_sensor": {"sensor_token": "sensor"},
    "sample": {"scene_token": "scene"},
    "sample_data": {
        "sample_token": "sample",
        "ego_pose_token": "ego_pose",
        "calibrated_sensor_token": "calibrated_sensor",
        "prev": "sample_data",
    },
    "sample_annotation": {
        "sample_token": "sample",
        "instance_token": "instance",
        "prev": "sample_annotation",
        "next": "sample_annotation",
    },
}
_LISTS = {"sample_annotation": {"attribute_tokens": "attribute"}}
_VECTORS = {"ego_pose": _POSE, "calibrated_sensor": _POSE, "sample_annotation": {**_POSE, "size": 3}}
_WHOLES = {
    "sample": ("timestamp",),
    "sample_data": ("timestamp",),
    "sample_annotation": ("num_lidar_pts", "num_radar_pts"),
}
_FLAGS = {"sample_data": ("is_key_frame",)}


def _schema(table: str) -> Schema:
    links, lists, vectors = _LINKS.get(table, {}), _LISTS.get(table, {}), _VECTORS.get(table, {})
    wholes, flags = _WHOLES.get(table, ()), _FLAGS.get(table, ())
    kept = {"token", *links, *lists, *vectors, *wholes, *flags}
    return Schema(links, lists, vectors, wholes, flags, tuple(sorted(REQUIRED_KEYS[table] - kept)))


SCHEMAS = {table: _schema(table) for table in REQUIRED_KEYS}

LINKS = {(table, field): target for table in SCHEMAS for field, target in
         (SCHEMAS[table].links | SCHEMAS[table].lists).items()}  # fmt: skip
"""Table that a field points into."""

GROUPS = {"sample_annotation": "sample_token", "sample_data": "sample_token", "sample": "scene_token"}
"""Tables whose rows are wanted by what they belong to; of ``sample_data`` only the key frames."""

TEXT_TABLES = ("scene", "sample")
"""Tables whose tokens are kept as text too."""
