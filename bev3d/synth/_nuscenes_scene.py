"""One scene of a synthetic nuScenes data set: its LiDAR files and its rows of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bev3d.synth._attributes import attribute, visibility_token
from bev3d.synth._folder import write_array
from bev3d.synth._populate import build_world
from bev3d.synth._raycast import count_inside
from bev3d.synth._rig import CAMERAS, IMAGE_SIZE, quaternion
from bev3d.synth._scanner import HDL32E, Scan, scan
from bev3d.synth._tokens import LOGFILE, token
from bev3d.synth._world import World

__all__ = ["ScenePlan", "build_scene_world", "write_scene"]

KEY_STEP_US, SWEEP_STEP_US = 500_000, 50_000
FIRST_TIME_US = 1_704_110_400_000_000
SCENE_TIME_US = 60_000_000  # from one scene's start to the next
ANNOTATED_RANGE_M = 60.0

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class ScenePlan:
    """What a scene is made of.

    Attributes:
        name: scene name; number: its position in the data set.
        samples: key frames; sweeps: LiDAR files for a key frame, itself included.
        seed: seed of the data set.
    """

    name: str
    number: int
    samples: int
    sweeps: int
    seed: int

    @property
    def start_us(self) -> int:
        """Time of the first key frame."""
        return FIRST_TIME_US + self.number * max(SCENE_TIME_US, 2 * self.samples * KEY_STEP_US)

    def token(self, *parts: object) -> str:
        """Token of something in this scene."""
        return token(self.seed, self.name, *parts)


def build_scene_world(plan: ScenePlan) -> World:
    """The world of a scene; time 0 is its first key frame."""
    last = 1e-6 * KEY_STEP_US * (plan.samples - 1)
    first = -1e-6 * SWEEP_STEP_US * (plan.sweeps - 1)
    times = np.append(np.arange(first, last, 0.25), last)
    return build_world(np.random.SeedSequence([plan.seed, plan.number]), times)


def write_scene(plan: ScenePlan, root: Path) -> Rows:
    """Write the scene's LiDAR files below ``root`` and return its rows by table."""
    world = build_scene_world(plan)
    rows: Rows = {name: [] for name in ("sample", "sample_data", "ego_pose", "sample_annotation", "instance")}
    for index in range(plan.samples):
        key = _write_lidar(plan, world, index, root, rows)
        _add_cameras(plan, world, index, rows)
        rows["sample"].append(
            {
                "token": plan.token("sample", index),
                "timestamp": plan.start_us + index * KEY_STEP_US,
                "prev": plan.token("sample", index - 1) if index else "",
                "next": plan.token("sample", index + 1) if index + 1 < plan.samples else "",
                "scene_token": plan.token("scene"),
            }
        )
        _add_annotations(plan, world, index, key, rows)
    _link(rows["sample_data"], lambda row: row["calibrated_sensor_token"])
    _link(rows["sample_annotation"], lambda row: row["instance_token"])
    _add_instances(plan, world, rows)
    rows["scene"] = [_scene_row(plan)]
    return rows


def _write_lidar(plan: ScenePlan, world: World, index: int, root: Path, rows: Rows) -> Scan:
    """The sweeps before a key frame and the key frame itself, oldest first."""
    for back in range(plan.sweeps - 1, -1, -1):
        offset = index * KEY_STEP_US - back * SWEEP_STEP_US
        stamp = plan.start_us + offset
        folder = "sweeps" if back else "samples"
        seed = np.random.SeedSequence([plan.seed, plan.number, 1, index, back]).generate_state(1, np.uint64)[0]
        seen = scan(world, HDL32E, 1e-6 * offset, int(seed))
        name = f"{folder}/LIDAR_TOP/{LOGFILE}__LIDAR_TOP__{stamp}.pcd.bin"
        write_array(root / name, seen.points)
        _add_sample_data(plan, world, index, rows, channel="LIDAR_TOP", offset=offset, name=name, key=back == 0)
    return seen


def _add_cameras(plan: ScenePlan, world: World, index: int, rows: Rows) -> None:
    """Rows of the cameras' key frames: other tools index them; there are no images."""
    for number, channel in enumerate(CAMERAS):
        offset = index * KEY_STEP_US - 8_000 * (number + 1)
        name = f"samples/{channel}/{LOGFILE}__{channel}__{plan.start_us + offset}.jpg"
        _add_sample_data(plan, world, index, rows, channel=channel, offset=offset, name=name, key=True)


def _add_sample_data(
    plan: ScenePlan, world: World, index: int, rows: Rows, *, channel: str, offset: int, name: str, key: bool
) -> None:
    identity = plan.token("sample_data", channel, offset)
    place, angles = world.ego_pose(1e-6 * offset)
    lidar = channel == "LIDAR_TOP"
    stamp = plan.start_us + offset
    rows["ego_pose"].append(
        {"token": identity, "timestamp": stamp, "rotation": quaternion(*angles), "translation": place.tolist()}
    )
    rows["sample_data"].append(
        {
            "token": identity,
            "sample_token": plan.token("sample", index),
            "ego_pose_token": identity,
            "calibrated_sensor_token": token(plan.seed, "calibrated_sensor", channel),
            "timestamp": stamp,
            "fileformat": "pcd" if lidar else "jpg",
            "is_key_frame": key,
            "height": 0 if lidar else IMAGE_SIZE[1],
            "width": 0 if lidar else IMAGE_SIZE[0],
            "filename": name,
        }
    )


def _add_annotations(plan: ScenePlan, world: World, index: int, key: Scan, rows: Rows) -> None:
    """Boxes within reach of the ego vehicle, those without a point too."""
    boxes = world.boxes(1e-6 * index * KEY_STEP_US)
    boxes[:, :3] = boxes[:, :3].round(6)
    ego, _ = world.ego_pose(1e-6 * index * KEY_STEP_US)
    near = np.hypot(boxes[:, 0] - ego[0], boxes[:, 1] - ego[1]) < ANNOTATED_RANGE_M
    halves = 0.5 * boxes[:, 6]
    turned = np.column_stack([np.cos(halves), np.sin(halves)])
    counts = count_inside(key.points, key.rotation, key.place, boxes[:, :7])
    for i in np.flatnonzero(near):
        name = attribute(world, int(i))
        rows["sample_annotation"].append(
            {
                "token": plan.token("annotation", i, index),
                "sample_token": plan.token("sample", index),
                "instance_token": plan.token("instance", i),
                "visibility_token": visibility_token(float(key.visible[i])),
                "attribute_tokens": [token(plan.seed, "attribute", name)] if name else [],
                "translation": boxes[i, :3].tolist(),
                "size": boxes[i, [4, 3, 5]].tolist(),
                "rotation": [float(turned[i, 0]), 0.0, 0.0, float(turned[i, 1])],
                "num_lidar_pts": int(counts[i]),
                "num_radar_pts": 0,
            }
        )


def _link(rows: list[dict[str, Any]], group: Any) -> None:
    """Chain rows of one group in the order in which they stand."""
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        row["prev"], row["next"] = "", ""
        before = last.get(group(row))
        if before is not None:
            row["prev"], before["next"] = before["token"], row["token"]
        last[group(row)] = row


def _add_instances(plan: ScenePlan, world: World, rows: Rows) -> None:
    """One row for each object that is annotated at least once."""
    chains: dict[str, list[str]] = {}
    for row in rows["sample_annotation"]:
        chains.setdefault(row["instance_token"], []).append(row["token"])
    for i, kind in enumerate(world.kinds):
        chain = chains.get(plan.token("instance", i))
        if chain:
            rows["instance"].append(
                {
                    "token": plan.token("instance", i),
                    "category_token": token(plan.seed, "category", kind.category),
                    "nbr_annotations": len(chain),
                    "first_annotation_token": chain[0],
                    "last_annotation_token": chain[-1],
                }
            )


def _scene_row(plan: ScenePlan) -> dict[str, Any]:
    return {
        "token": plan.token("scene"),
        "log_token": token(plan.seed, "log"),
        "nbr_samples": plan.samples,
        "first_sample_token": plan.token("sample", 0),
        "last_sample_token": plan.token("sample", plan.samples - 1),
        "name": plan.name,
        "description": "synthetic street",
    }
