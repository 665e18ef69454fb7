"""The KITTI protocol object by object in plain Python, with shapely for rotated overlap; and random frames for it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["plain_overlaps", "plain_precision", "random_frames"]

LIMITS = ((40, 0, 0.15), (25, 1, 0.30), (25, 2, 0.50))  # height in pixels, occlusion, truncation
NEUTRAL = {"Car": "Van", "Pedestrian": "Person_sitting"}
NAMES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare")
Object = dict[str, Any]


def random_frames(labels: Path, found: Path, *, seed: int, frames: int = 60) -> list[tuple[list[Object], list[Object]]]:
    """Write frames full of hard cases: equal scores, doubles, exact heights, regions, neighbours of every class."""
    rng = np.random.default_rng(seed)
    content = []
    for folder in (labels, found):
        folder.mkdir()
    for frame in range(frames):
        truth = [_object(rng) for _ in range(rng.integers(0, 9))]
        detections = [_moved(one, rng) for one in truth for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
        detections += [_moved(_object(rng), rng) for _ in range(rng.choice([0, 0, 1, 2]))]
        rng.shuffle(detections)  # type: ignore[arg-type]
        for folder, objects in ((labels, truth), (found, detections)):
            text = "".join(" ".join(map(str, _words(one))) + "\n" for one in objects)
            (folder / f"{frame:06d}.txt").write_text(text)
        content.append((truth, detections))
    return content


def _object(rng: np.random.Generator) -> Object:
    name = str(rng.choice(NAMES, p=[0.3, 0.08, 0.05, 0.2, 0.07, 0.14, 0.03, 0.03, 0.1]))
    left, top = rng.uniform(0, 900), rng.uniform(100, 200)
    height = float(rng.choice([25.0, 40.0, 24.99, 40.5, 60.0, 90.0]))
    width = rng.uniform(30, 120)
    if name == "DontCare":
        nowhere = {"hwl": [-1, -1, -1], "xyz": [-1000] * 3, "ry": -10.0, "truncation": -1, "occlusion": -1}
        return nowhere | {"name": name, "alpha": -10.0, "bbox": [left, top, left + 3 * width, top + 90]}
    return {
        "name": name,
        "truncation": float(rng.choice([0, 0.15, 0.2, 0.4, 0.6], p=[0.75, 0.1, 0.05, 0.05, 0.05])),
        "occlusion": int(rng.choice(4, p=[0.7, 0.15, 0.1, 0.05])),
        "alpha": float(rng.uniform(-3, 3)),
        "bbox": [left, float(top // 1), left + width, float(top // 1) + height],
        "hwl": rng.uniform([1.4, 1.5, 3.5], [1.8, 1.9, 4.5]).tolist(),
        "xyz": [float(rng.uniform(-10, 10)), 1.7, float(rng.uniform(8, 40))],
        "ry": float(rng.uniform(-3, 3)),
    }


def _moved(one: Object, rng: np.random.Generator) -> Object:
    noise = float(rng.choice([0.0, 0.0, 0.1, 0.3, 1.0]))
    moved = {key: list(value) if isinstance(value, list) else value for key, value in one.items()}
    if rng.random() < 0.08 or one["name"] == "DontCare":
        moved["name"] = str(rng.choice(NAMES[:-1]))
    if one["name"] == "DontCare":  # inside the region, half inside it, or anywhere
        moved |= {"hwl": [1.5, 1.6, 4.0], "xyz": [5.0, 1.7, 20.0], "ry": 0.3}
        moved["bbox"] = [x + float(rng.choice([0, 60, 500])) if i % 2 == 0 else x for i, x in enumerate(one["bbox"])]
    else:
        moved["bbox"] = [x + noise * float(rng.normal(scale=6)) for x in one["bbox"]]
        moved["xyz"] = [x + noise * float(rng.normal(scale=0.25)) for x in one["xyz"]]
        moved["ry"] = one["ry"] + noise * float(rng.normal(scale=0.1))
    moved["alpha"] = moved["alpha"] + float(rng.normal()) if moved["alpha"] != -10 else 0.7
    return moved | {"truncation": -1, "occlusion": -1, "score": round(float(rng.uniform(-1, 2)), 1)}


def _words(one: Object) -> list[Any]:
    words = [one["name"], one["truncation"], one["occlusion"], one["alpha"], *one["bbox"], *one["hwl"], *one["xyz"]]
    return [*words, one["ry"], one["score"]] if "score" in one else [*words, one["ry"]]


def _shared(a: Object, b: Object, *, own: bool = False) -> float:
    """Overlap in the picture, as a share of the union or of ``b``."""
    sides = [min(a["bbox"][k + 2], b["bbox"][k + 2]) - max(a["bbox"][k], b["bbox"][k]) for k in (0, 1)]
    if min(sides) <= 0:
        return 0.0
    inside = sides[0] * sides[1]
    areas = [(o["bbox"][2] - o["bbox"][0]) * (o["bbox"][3] - o["bbox"][1]) for o in (a, b)]
    return inside / areas[1] if own else inside / (sum(areas) - inside)


def _footprint(one: Object) -> Any:
    from shapely.geometry import Polygon

    _, width, length = one["hwl"]
    c, s = math.cos(one["ry"]), math.sin(one["ry"])
    corners = [(sx * length / 2, sz * width / 2) for sx, sz in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    return Polygon([(one["xyz"][0] + c * x + s * z, one["xyz"][2] - s * x + c * z) for x, z in corners])


def _rotated(a: Object, b: Object, *, space: bool) -> float:
    first, second = _footprint(a), _footprint(b)
    inside = first.intersection(second).area
    areas = first.area, second.area
    if not space:
        return inside / (sum(areas) - inside)
    low = min(a["xyz"][1], b["xyz"][1])
    high = max(a["xyz"][1] - a["hwl"][0], b["xyz"][1] - b["hwl"][0])
    inside *= max(0.0, low - high)
    volumes = [area * one["hwl"][0] for area, one in zip(areas, (a, b), strict=True)]
    return inside / (sum(volumes) - inside)


def _overlap(metric: str, a: Object, b: Object) -> float:
    return _shared(a, b) if metric == "image" else _rotated(a, b, space=metric == "3d")


def _states(
    truth: list[Object], found: list[Object], name: str, level: int, exact: bool
) -> tuple[list[int], list[int]]:
    """0: counts, 1: neither right nor wrong, -1: not there."""
    least, occlusion, truncation = LIMITS[level]
    of_truth, of_found = [], []
    for one in truth:
        height = one["bbox"][3] - one["bbox"][1]
        hard = height < least if exact else height <= least
        hard = hard or one["occlusion"] > occlusion or one["truncation"] > truncation
        of_truth.append(int(hard) if one["name"] == name else 1 if one["name"] == NEUTRAL.get(name) else -1)
    for one in found:
        small = abs(one["bbox"][3] - one["bbox"][1]) < least
        of_found.append(1 if small else 0 if one["name"] == name else -1)
    return of_truth, of_found


def plain_overlaps(content: list[tuple[list[Object], list[Object]]], metric: str) -> list[list[list[float]]]:
    """For each frame the overlaps of its objects (regions left out) with its detections."""
    return [[[_overlap(metric, a, b) for b in found] for a in truth if a["name"] != "DontCare"]
            for truth, found in content]  # fmt: skip


def plain_precision(
    content: list[tuple[list[Object], list[Object]]],
    overlaps_of: list[list[list[float]]],
    name: str,
    metric: str,
    level: int,
    least: float,
    exact: bool,
) -> tuple[list[float], list[float], int]:
    """41 values of precision and of orientation similarity, and how many objects count."""
    frames = []
    for (everything, found), overlaps in zip(content, overlaps_of, strict=True):
        truth = [one for one in everything if one["name"] != "DontCare"]
        regions = [one for one in everything if one["name"] == "DontCare"]
        excused = [metric == "image" and any(_shared(r, b, own=True) > least for r in regions) for b in found]
        frames.append((truth, found, overlaps, excused, *_states(truth, found, name, level, exact)))
    scores: list[float] = []
    for frame in frames:
        scores += _match(frame, least, None)[3]
    total = sum(frame[4].count(0) for frame in frames)
    precision, similarity = [0.0] * 41, [0.0] * 41
    for k, threshold in enumerate(_thresholds(scores, total)[:41]):
        counts = [_match(frame, least, threshold)[:3] for frame in frames]
        hits, wrong, alike = (sum(values) for values in zip(*counts, strict=True))
        if hits + wrong:
            precision[k], similarity[k] = hits / (hits + wrong), alike / (hits + wrong)
    for curve in (precision, similarity):
        for k in reversed(range(40)):
            curve[k] = max(curve[k], curve[k + 1])
    return precision, similarity, total


def _thresholds(scores: list[float], total: int) -> list[float]:
    chosen, recall = [], 0.0
    ranked = sorted(scores, reverse=True)
    for i, score in enumerate(ranked):
        last = i == len(ranked) - 1
        here, following = (i + 1) / total, (i + 1 if last else i + 2) / total
        if not last and following - recall < recall - here:
            continue
        chosen.append(score)
        recall += 1 / 40
    return chosen


def _match(frame: Any, least: float, threshold: float | None) -> tuple[int, int, float, list[float]]:
    """Without a threshold by the highest score, with one by the greatest overlap; of equals the first in the file."""
    truth, found, overlaps, excused, of_truth, of_found = frame
    free = [state >= 0 and (threshold is None or one["score"] >= threshold) for one, state in zip(found, of_found)]  # noqa: B905
    hits, alike, scores = 0, 0.0, []
    for i, one in enumerate(truth):
        if of_truth[i] < 0:
            continue
        near = [j for j in range(len(found)) if free[j] and overlaps[i][j] > least]
        if not near:
            continue
        if threshold is None:
            best = max(near, key=lambda j: (found[j]["score"], -j))
        else:
            # What counts goes before what does not; of the latter the first.
            counting = [j for j in near if of_found[j] == 0]
            best = max(counting, key=lambda j: (overlaps[i][j], -j)) if counting else near[0]
        free[best] = False
        if of_truth[i] == 0 and of_found[best] == 0:
            hits += 1
            alike += (1 + math.cos(one["alpha"] - found[best]["alpha"])) / 2
            scores.append(found[best]["score"])
    wrong = sum(free[j] and of_found[j] == 0 and not excused[j] for j in range(len(found)))
    return hits, wrong, alike, scores
