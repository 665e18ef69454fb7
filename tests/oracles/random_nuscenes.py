"""Random nuScenes tables and submissions that hit every rule of the metric, and the unmodified devkit's answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from oracles.real_nuscenes import ATTRIBUTES, token_of
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d.data import DETECTION_CLASSES
from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY

__all__ = ["devkit_curves", "random_nuscenes", "random_submission"]

RACK = "static_object.bicycle_rack"
SCENES = ("scene-0103", "scene-0916", "mine")


def random_nuscenes(folder: Path, *, seed: int, samples: int = 4, boxes: int = 60, leave_out: str = "") -> Path:
    """A folder of three scenes, one of them of no official split, with ``boxes`` annotations a sample and racks.

    Tracks of one, two and more annotations with steps beyond 1.5 s; zero points; no attribute; turned racks with
    bicycles in and around them and exactly on their corners; the second sample of every scene is empty.
    """
    rng = np.random.default_rng(seed)
    root = tiny_nuscenes(folder, scenes=SCENES, samples=samples, sweeps=1, seed=seed)
    tables = {name: _load(root, name) for name in ("sample", "ego_pose", "sample_data", "category")}
    names = {row["name"] for row in tables["category"]}
    for name in (*DETECTION_CLASS_OF_CATEGORY, RACK):
        if name not in names:
            tables["category"].append({"token": token_of(name), "name": name, "description": ""})
    categories = [c for c, name in DETECTION_CLASS_OF_CATEGORY.items() if name != leave_out] + [RACK, "animal"]
    pose = {row["token"]: row["translation"] for row in tables["ego_pose"]}
    ego = {row["sample_token"]: pose[row["ego_pose_token"]] for row in tables["sample_data"]}
    annotations: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    for i, sample in enumerate(tables["sample"]):
        if i % samples == 1:
            continue
        for k in range(boxes):
            category = RACK if k < 3 else str(rng.choice(categories))
            annotations.append(_annotation(f"{seed} {i} {k}", sample["token"], category, ego[sample["token"]], rng))
            instances.append({"token": token_of(f"{seed} {i} {k}"), "category_token": token_of(category)})
        _bicycles_in_racks(annotations[-boxes:], rng)
    _link(annotations, tables["sample"], rng)
    for row in instances:
        row |= {"nbr_annotations": 1, "first_annotation_token": "", "last_annotation_token": ""}
    for name, rows in (("category", tables["category"]), ("instance", instances), ("sample_annotation", annotations)):
        (root / VERSION / f"{name}.json").write_text(json.dumps(rows))
    return root


def _load(root: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((root / VERSION / f"{name}.json").read_text())
    return rows


def _annotation(name: str, sample: str, category: str, ego: list[float], rng: np.random.Generator) -> dict[str, Any]:
    attributes = [a for a in ATTRIBUTES if a.split(".")[0] == category.split(".")[0]]
    if category in ("vehicle.bicycle", "vehicle.motorcycle"):
        attributes = [a for a in ATTRIBUTES if a.startswith("cycle")]
    offset = rng.normal(scale=20, size=2)
    return {
        "token": token_of("annotation" + name),
        "sample_token": sample,
        "instance_token": token_of(name),
        "visibility_token": "4",
        "attribute_tokens": [token_of(str(rng.choice(attributes)))] if attributes and rng.random() < 0.8 else [],
        "translation": [*(np.array(ego[:2]) + offset).round(3).tolist(), round(float(rng.normal()), 3)],
        "size": rng.uniform(0.4, 6, size=3).round(3).tolist(),
        "rotation": _rotation(rng),
        "prev": "",
        "next": "",
        "num_lidar_pts": int(rng.choice([0, 1, 40])),
        "num_radar_pts": int(rng.choice([0, 0, 2])),
    }


def _rotation(rng: np.random.Generator) -> list[float]:
    kind = rng.integers(5)
    if kind == 0:  # exact turns, where the sign of a zero decides
        return [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, -1], [0.5**0.5, 0, 0, 0.5**0.5]][rng.integers(4)]
    yaw = rng.uniform(-np.pi, np.pi)
    quaternion = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
    if kind == 1:
        quaternion = rng.normal(size=4)
    if kind == 2:  # of length 1 to fewer digits than pyquaternion asks for
        quaternion = quaternion.round(6)
    rotation: list[float] = quaternion.tolist()
    return rotation


def _bicycles_in_racks(rows: list[dict[str, Any]], rng: np.random.Generator) -> None:
    # The category is looked up by token: bicycles are moved to racks of the same sample, some onto a corner exactly.
    racks, others = rows[:3], rows[3:]
    racks[0]["rotation"] = [1, 0, 0, 0]
    for row in others:
        if rng.random() < 0.2:
            rack = racks[rng.integers(3)]
            half = np.array(rack["size"])[[1, 0, 2]] / 2
            place = half * rng.choice([-1, 0, 1], size=3) if rng.random() < 0.5 else rng.uniform(-1.3, 1.3, 3) * half
            row["translation"] = (np.array(rack["translation"]) + place).tolist()


def _link(annotations: list[dict[str, Any]], samples: list[dict[str, Any]], rng: np.random.Generator) -> None:
    scene = {row["token"]: row["scene_token"] for row in samples}
    order = {row["token"]: i for i, row in enumerate(samples)}
    pool = sorted(annotations, key=lambda row: order[row["sample_token"]])
    open_ends: list[dict[str, Any]] = []
    for row in pool:
        before = [r for r in open_ends if scene[r["sample_token"]] == scene[row["sample_token"]]
                  and order[r["sample_token"]] < order[row["sample_token"]]]  # fmt: skip
        if before and rng.random() < 0.7:
            one = before[rng.integers(len(before))]
            one["next"], row["prev"] = row["token"], one["token"]
            open_ends.remove(one)
        open_ends.append(row)


def random_submission(
    root: Path, tokens: list[str], *, seed: int, boxes: int = 120, only: tuple[str, ...] = DETECTION_CLASSES
) -> dict[str, Any]:
    """Predictions around the annotations and anywhere, with many equal scores, places and samples without any box.

    Samples stand in random order; racks get bicycles; some boxes lie exactly as far from two annotations.
    """
    rng = np.random.default_rng(seed)
    truth: dict[str, list[dict[str, Any]]] = {}
    for row in _load(root, "sample_annotation"):
        truth.setdefault(row["sample_token"], []).append(row)
    category_of = {row["token"]: row["category_token"] for row in _load(root, "instance")}
    name_of = {token_of(category): name for category, name in DETECTION_CLASS_OF_CATEGORY.items()}
    results: dict[str, list[dict[str, Any]]] = {}
    for token in rng.permutation(tokens).tolist():
        results[token] = []
        rows = truth.get(token, [])
        for _ in range(boxes if rows and rng.random() < 0.9 else 0):
            row = rows[rng.integers(len(rows))]
            name = name_of.get(category_of[row["instance_token"]], "bicycle")
            if rng.random() < 0.1:
                name = str(rng.choice(DETECTION_CLASSES))
            if name in only:
                results[token].append(_prediction(token, name, row, rows, rng))
    return {"meta": {"use_lidar": True}, "results": results}


def _prediction(
    token: str, name: str, row: dict[str, Any], rows: list[dict[str, Any]], rng: np.random.Generator
) -> dict[str, Any]:
    place = np.array(row["translation"])
    if rng.random() < 0.1:
        place = (place + np.array(rows[rng.integers(len(rows))]["translation"])) / 2
    place = place + rng.normal(scale=rng.choice([0.0, 0.2, 1.0, 3.0]), size=3)
    whole = rng.random() < 0.1
    scores = [round(float(rng.random()), 1), float(rng.random()), 1.0, 0.0]
    velocity = rng.normal(scale=3, size=2)
    return {
        "sample_token": token,
        "translation": place.round().astype(int).tolist() if whole else place.tolist(),
        "size": [1, 2, 3] if whole else (np.array(row["size"]) * rng.uniform(0.7, 1.4, size=3)).tolist(),
        "rotation": row["rotation"] if rng.random() < 0.2 else _rotation(rng),
        "velocity": velocity.tolist(),
        "detection_name": name,
        "detection_score": scores[rng.choice(4, p=[0.5, 0.46, 0.02, 0.02])],
        "attribute_name": str(rng.choice(["", *ATTRIBUTES])),
    }


def devkit_curves(root: Path, split: str, submission: Path, folder: Path) -> tuple[Any, dict[str, dict[str, Any]]]:
    """``DetectionMetrics`` and the eight arrays by ``"class:distance"``, all by the devkit's own classes."""
    from nuscenes import NuScenes
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.detection.evaluate import DetectionEval

    nusc = NuScenes(VERSION, str(root), verbose=False)
    run = DetectionEval(nusc, config_factory("detection_cvpr_2019"), str(submission), split, str(folder), verbose=False)
    metrics, curves = run.evaluate()
    arrays = {}
    for (name, distance), data in curves.md.items():
        arrays[f"{name}:{distance}"] = {key: np.asarray(getattr(data, key)) for key in data.serialize()}
    return metrics, arrays
