"""A whole nuScenes folder around the one real key frame of the test data, so that the standard reader reads it."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ATTRIBUTES", "KEYFRAME_TOKEN", "keyframe_dataset", "one_pixel", "symlink_tree", "token_of"]

KEYFRAME_TOKEN = "ca9a282c9e77460f8360f564131a8af5"
VERSION = "v1.0-mini"

# The record keeps detection classes; one category stands for each. The object outside the ten is 0.8 m long and
# 1.3 m high and comes without a category.
CATEGORY = {
    "car": "vehicle.car",
    "truck": "vehicle.truck",
    "trailer": "vehicle.trailer",
    "bus": "vehicle.bus.rigid",
    "construction_vehicle": "vehicle.construction",
    "bicycle": "vehicle.bicycle",
    "motorcycle": "vehicle.motorcycle",
    "pedestrian": "human.pedestrian.adult",
    "traffic_cone": "movable_object.trafficcone",
    "barrier": "movable_object.barrier",
    None: "movable_object.pushable_pullable",
}
ATTRIBUTES = (
    "pedestrian.moving",
    "pedestrian.sitting_lying_down",
    "pedestrian.standing",
    "cycle.with_rider",
    "cycle.without_rider",
    "vehicle.moving",
    "vehicle.parked",
    "vehicle.stopped",
)


def keyframe_dataset(real_data: Path, folder: Path) -> Path:
    """Write the 13 tables of the real key frame (scene-0061, first sample) into ``folder``.

    Boxes are written as nuScenes stores them, upright in the global frame. Sensor files are links to the test data;
    nothing is copied. There is a single sample, so that every velocity is NaN.

    Args:
        real_data: folder with ``nuscenes/keyframe_ca9a282c.json``.
        folder: an empty temporary folder.

    Returns:
        The dataroot, which is ``folder``.
    """
    source = real_data / "nuscenes"
    record = json.loads((source / "keyframe_ca9a282c.json").read_text())
    symlink_tree(source / "samples", folder / "samples")
    maps = folder / "maps"
    maps.mkdir(parents=True)
    (maps / "placeholder.png").write_bytes(one_pixel())
    tables = _fixed_tables(record)
    tables.update(_sensor_tables(record))
    tables.update(_box_tables(record))
    (folder / VERSION).mkdir()
    for name, rows in tables.items():
        (folder / VERSION / f"{name}.json").write_text(json.dumps(rows))
    return folder


def symlink_tree(source: Path, target: Path) -> None:
    """The same folders with a link for every file."""
    for path in source.rglob("*"):
        if path.is_file():
            link = target / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


def _fixed_tables(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    scene = {
        "token": token_of("scene"),
        "log_token": token_of("log"),
        "nbr_samples": 1,
        "first_sample_token": KEYFRAME_TOKEN,
        "last_sample_token": KEYFRAME_TOKEN,
        "name": "scene-0061",
        "description": "first sample only",
    }
    log = {"token": token_of("log"), "logfile": "", "vehicle": "n015", "date_captured": "2018-07-24"}
    sample = {"token": KEYFRAME_TOKEN, "timestamp": record["timestamp_us"], "prev": "", "next": ""}
    picture = {"token": token_of("map"), "category": "semantic_prior", "filename": "maps/placeholder.png"}
    return {
        "scene": [scene],
        "log": [log | {"location": record["location"]}],
        "sample": [sample | {"scene_token": scene["token"]}],
        "map": [picture | {"log_tokens": [log["token"]]}],
        "visibility": [{"token": str(i), "level": level, "description": ""} for i, level in enumerate("1234", 1)],
        "attribute": [{"token": token_of(name), "name": name, "description": ""} for name in ATTRIBUTES],
        "category": [{"token": token_of(name), "name": name, "description": ""} for name in CATEGORY.values()],
    }


def _sensor_tables(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    lidar = record["lidar"] | {"pose": record["lidar2ego"], "modality": "lidar", "timestamp_us": record["timestamp_us"]}
    cameras = {
        name: camera | {"pose": camera["cam2ego"], "modality": "camera"} for name, camera in record["cameras"].items()
    }
    tables: dict[str, list[dict[str, Any]]] = {"sensor": [], "calibrated_sensor": [], "ego_pose": [], "sample_data": []}
    for channel, sensor in {"LIDAR_TOP": lidar, **cameras}.items():
        token = sensor["sample_data_token"]
        tables["sensor"].append({"token": token_of(channel), "channel": channel, "modality": sensor["modality"]})
        pose = {"token": token_of(channel + "calibration"), "sensor_token": token_of(channel)} | _pose(sensor["pose"])
        tables["calibrated_sensor"].append(pose | {"camera_intrinsic": sensor.get("cam2img", [])})
        # The cameras' own ego poses are not in the record; that of the LiDAR is at most 0.04 s away.
        tables["ego_pose"].append({"token": token, "timestamp": sensor["timestamp_us"]} | _pose(record["ego2global"]))
        tables["sample_data"].append(
            {
                "token": token,
                "sample_token": KEYFRAME_TOKEN,
                "ego_pose_token": token,
                "calibrated_sensor_token": pose["token"],
                "timestamp": sensor["timestamp_us"],
                "fileformat": "pcd" if channel == "LIDAR_TOP" else "jpg",
                "is_key_frame": True,
                "height": sensor.get("height", 0),
                "width": sensor.get("width", 0),
                "filename": sensor["file"],
                "prev": "",
                "next": "",
            }
        )
    return tables


def _box_tables(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    annotations, instances = [], []
    for i, box in enumerate(record["boxes"]):
        token, instance = token_of(f"annotation {i}"), token_of(f"instance {i}")
        length, width, height = box["size_lwh"]
        half = box["yaw_global_approx"] / 2
        annotations.append(
            {
                "token": token,
                "sample_token": KEYFRAME_TOKEN,
                "instance_token": instance,
                "visibility_token": "4",
                "attribute_tokens": [token_of(box["attribute"])] if box["attribute"] else [],
                "translation": box["center_global_approx"],
                "size": [width, length, height],
                "rotation": [float(np.cos(half)), 0.0, 0.0, float(np.sin(half))],
                "prev": "",
                "next": "",
                "num_lidar_pts": box["num_lidar_pts"],
                "num_radar_pts": box["num_radar_pts"],
            }
        )
        links = {"nbr_annotations": 1, "first_annotation_token": token, "last_annotation_token": token}
        instances.append({"token": instance, "category_token": token_of(CATEGORY[box["category"]])} | links)
    return {"sample_annotation": annotations, "instance": instances}


def _pose(matrix: list[list[float]]) -> dict[str, list[float]]:
    values = np.array(matrix)
    return {"translation": values[:3, 3].tolist(), "rotation": _quaternion(values[:3, :3]).tolist()}


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """Quaternion w, x, y, z nearest to a matrix that is a rotation but for rounding (Bar-Itzhack, 2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    k = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    return np.linalg.eigh(k)[1][:, -1]


def token_of(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def one_pixel() -> bytes:
    """A PNG of 1 x 1 grey pixel; the devkit wants a map picture to exist."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
