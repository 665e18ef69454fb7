"""A small nuScenes folder of random content, valid for the devkit, with tilted poses and every velocity rule in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from oracles.real_nuscenes import ATTRIBUTES, one_pixel, token_of

__all__ = ["VERSION", "tiny_nuscenes"]

VERSION = "v1.0-mini"
CATEGORIES = (
    "vehicle.car",
    "vehicle.truck",
    "vehicle.bus.rigid",
    "vehicle.trailer",
    "vehicle.construction",
    "human.pedestrian.adult",
    "vehicle.motorcycle",
    "vehicle.bicycle",
    "movable_object.trafficcone",
    "movable_object.barrier",
    "animal",
)
SAMPLE_US = 500_000
SWEEP_US = 50_000
START_US = 1_533_151_603_547_590

Tables = dict[str, list[dict[str, Any]]]


def tiny_nuscenes(
    folder: Path, *, scenes: tuple[str, ...] = ("scene-0103",), samples: int = 4, sweeps: int = 2, seed: int = 0
) -> Path:
    """Write a folder that holds one object of each class a scene (and an animal).

    The last object is annotated in the first sample only (velocity NaN); the cone is absent in between, so that its
    neighbours in time are too far apart (NaN again where the gap exceeds 1.5 s).

    Args:
        folder: an empty temporary folder.
        scenes: their names.
        samples: key frames a scene, 0.5 s apart; the last one 2 s after the one before it.
        sweeps: LiDAR files a key frame, itself included.
        seed: of poses, points and boxes.
    """
    generator = np.random.default_rng(seed)
    tables: Tables = _fixed()
    for scene in scenes:
        _scene(tables, folder, scene, samples, sweeps, generator)
    (folder / "maps").mkdir(parents=True)
    (folder / "maps" / "map.png").write_bytes(one_pixel())
    (folder / VERSION).mkdir()
    for name, rows in tables.items():
        (folder / VERSION / f"{name}.json").write_text(json.dumps(rows))
    (folder / VERSION / "splits.json").write_text(json.dumps({"everything": list(scenes), "nothing": []}))
    return folder


def _fixed() -> Tables:
    names = ("instance", "ego_pose", "scene", "sample", "sample_data", "sample_annotation")
    sensor = {"token": token_of("LIDAR_TOP"), "channel": "LIDAR_TOP", "modality": "lidar"}
    lean = np.array([0.7, 0.01, -0.012, -0.71])
    calibration = {
        "token": token_of("calibration"),
        "sensor_token": sensor["token"],
        "translation": [0.94, 0.0, 1.84],
        "rotation": (lean / np.linalg.norm(lean)).tolist(),
        "camera_intrinsic": [],
    }
    log = {
        "token": token_of("log"),
        "logfile": "",
        "vehicle": "n000",
        "date_captured": "2018-01-01",
        "location": "here",
    }
    picture = {"token": token_of("map"), "category": "semantic_prior", "filename": "maps/map.png"}
    return {name: [] for name in names} | {
        "sensor": [sensor],
        "calibrated_sensor": [calibration],
        "log": [log],
        "map": [picture | {"log_tokens": [log["token"]]}],
        "visibility": [{"token": "4", "level": "v80-100", "description": ""}],
        "attribute": [{"token": token_of(name), "name": name, "description": ""} for name in ATTRIBUTES],
        "category": [{"token": token_of(name), "name": name, "description": ""} for name in CATEGORIES],
    }


def _scene(tables: Tables, folder: Path, scene: str, samples: int, sweeps: int, rng: np.random.Generator) -> None:
    times = [START_US + SAMPLE_US * i + (3 * SAMPLE_US if i == samples - 1 else 0) for i in range(samples)]
    sample_tokens = [token_of(f"{scene} sample {i}") for i in range(samples)]
    tables["scene"].append(
        {
            "token": token_of(scene),
            "log_token": token_of("log"),
            "nbr_samples": samples,
            "first_sample_token": sample_tokens[0],
            "last_sample_token": sample_tokens[-1],
            "name": scene,
            "description": "",
        }
    )
    for i, (name, time) in enumerate(zip(sample_tokens, times, strict=True)):
        links = {"prev": sample_tokens[i - 1] if i else "", "next": (*sample_tokens, "")[i + 1]}
        tables["sample"].append({"token": name, "timestamp": time, "scene_token": token_of(scene)} | links)
    _lidar_files(tables, folder, scene, sample_tokens, times, sweeps, rng)
    _tracks(tables, scene, sample_tokens, times, rng)


def _lidar_files(
    tables: Tables,
    folder: Path,
    scene: str,
    samples: list[str],
    times: list[int],
    sweeps: int,
    rng: np.random.Generator,
) -> None:
    rows: list[dict[str, Any]] = []
    for sample, time in zip(samples, times, strict=True):
        for back in reversed(range(sweeps)):
            kind = "sweeps" if back else "samples"
            stamp = time - back * SWEEP_US
            file = f"{kind}/LIDAR_TOP/{scene}__{stamp}.pcd.bin"
            points = rng.normal(scale=(15, 15, 1, 1, 1), size=(400, 5)).astype(np.float32)
            points[:40, :2] = rng.uniform(-1.2, 1.2, size=(40, 2))
            points[:, 3] = rng.uniform(0, 255, size=400)
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            points.tofile(folder / file)
            lean = np.array([math.cos(0.2), *rng.normal(scale=0.02, size=2), math.sin(0.2)])
            seconds = 1e-6 * (stamp - START_US)
            pose = {"translation": [600 + 5 * seconds, 1600 + 2 * seconds, 0.0], "rotation": lean.tolist()}
            pose["rotation"] = (lean / np.linalg.norm(lean)).tolist()
            tables["ego_pose"].append({"token": token_of(file), "timestamp": stamp} | pose)
            rows.append(
                {
                    "token": token_of(file),
                    "sample_token": sample,
                    "ego_pose_token": token_of(file),
                    "calibrated_sensor_token": token_of("calibration"),
                    "timestamp": stamp,
                    "fileformat": "pcd",
                    "is_key_frame": back == 0,
                    "height": 0,
                    "width": 0,
                    "filename": file,
                }
            )
    for i, row in enumerate(rows):
        row["prev"] = rows[i - 1]["token"] if i else ""
        row["next"] = rows[i + 1]["token"] if i + 1 < len(rows) else ""
    tables["sample_data"] += rows


def _tracks(tables: Tables, scene: str, samples: list[str], times: list[int], rng: np.random.Generator) -> None:
    for k, category in enumerate(CATEGORIES):
        shown = list(range(len(samples)))
        if category == "animal":
            shown = shown[:1]
        elif category == "movable_object.trafficcone":
            shown = sorted({0, len(samples) - 1})
        start, speed = rng.uniform(-12, 12, size=2), rng.uniform(-3, 3, size=2)
        yaw = rng.uniform(-4, 4)
        size = rng.uniform(0.5, 5, size=3).round(3).tolist()
        tokens = [token_of(f"{scene} {category} {i}") for i in shown]
        for n, i in enumerate(shown):
            place = np.array([600.0, 1600.0]) + start + speed * 1e-6 * (times[i] - times[0])
            tables["sample_annotation"].append(
                {
                    "token": tokens[n],
                    "sample_token": samples[i],
                    "instance_token": token_of(scene + category),
                    "visibility_token": "4",
                    "attribute_tokens": [token_of("vehicle.moving")] if category == "vehicle.car" else [],
                    "translation": [*place.round(3).tolist(), 1.0],
                    "size": size,
                    "rotation": [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)],
                    "prev": tokens[n - 1] if n else "",
                    "next": (*tokens, "")[n + 1],
                    "num_lidar_pts": 5 + k,
                    "num_radar_pts": k % 3,
                }
            )
        tables["instance"].append(
            {
                "token": token_of(scene + category),
                "category_token": token_of(category),
                "nbr_annotations": len(shown),
                "first_annotation_token": tokens[0],
                "last_annotation_token": tokens[-1],
            }
        )
