"""A sample as numbers for the browser: points in 16 bits a coordinate, deflated, in base64."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data._sample import Sample
from bev3d.viz._layer import HeatmapLayer
from bev3d.viz._scene import BoxSet, forward_yaw, ground_height

__all__ = ["frame_payload", "pack_points"]

LEVELS = 65535


def frame_payload(
    sample: Sample, truth: BoxSet, found: BoxSet, layer: HeatmapLayer | None, *, max_points: int
) -> dict[str, Any]:
    """Everything the page needs for one sample, ready for JSON."""
    return {
        "token": sample.token,
        "ground": round(ground_height(sample), 3),
        "forward": round(forward_yaw(sample), 4),
        "points": pack_points(sample.points, max_points=max_points),
        "truth": _box_rows(truth, sample.num_points),
        "found": _box_rows(found, None),
        "heat": None if layer is None else _heat(layer),
    }


def pack_points(points: NDArray[np.floating], *, max_points: int) -> dict[str, Any]:
    """Points in planes of bytes.

    A coordinate is stored as k in 0..65535 for ``origin + k * step``, so its error is at most step / 2: a millimetre
    for a scan of 130 m. Points are ordered by time lag and place and each byte stands in its own plane, which makes
    the high bytes nearly free after deflate.

    Args:
        points: (P, 5) x, y, z, intensity, time lag; non-finite ones are left out.
        max_points: of more points, every n-th is kept.

    Returns:
        ``count``, ``total`` (before thinning), ``origin``, ``step``, ``longest_lag``, and ``data``: base64 of the
        deflated planes x low, x high, y low, y high, z low, z high, intensity, time lag.
    """
    points = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    total = len(points)
    points = points[:: max(1, -(-total // max_points))]
    if not len(points):
        return {"count": 0, "total": total, "origin": [0, 0, 0], "step": [1, 1, 1], "longest_lag": 0, "data": ""}
    xyz = points[:, :3]
    origin = xyz.min(axis=0)
    step = np.maximum((xyz.max(axis=0) - origin) / LEVELS, 1e-9)
    grid = np.round((xyz - origin) / step).astype(np.uint16)
    longest = max(float(points[:, 4].max()), 0.0)
    lag = _byte(points[:, 4] / longest if longest > 0 else np.zeros(len(points)))
    order = np.lexsort((grid[:, 2] >> 8, grid[:, 1] >> 8, grid[:, 0] >> 8, lag))
    grid, lag, intensity = grid[order], lag[order], _byte(points[order, 3])
    planes = [half for axis in range(3) for half in ((grid[:, axis] & 255), grid[:, axis] >> 8)]
    raw = np.stack([plane.astype(np.uint8) for plane in (*planes, intensity, lag)]).tobytes()
    return {
        "count": len(points),
        "total": total,
        "origin": origin.tolist(),
        "step": step.tolist(),
        "longest_lag": round(longest, 3),
        "data": _pack(raw),
    }


def _heat(layer: HeatmapLayer) -> dict[str, Any]:
    rows, columns = layer.strongest.shape
    known = np.isfinite(layer.centres).all(axis=1)
    arrows = np.concatenate([layer.corners[known], layer.centres[known]], axis=1)
    return {
        "rows": rows,
        "columns": columns,
        "extent": list(layer.extent),
        "kind": layer.kind,
        "offsets": np.round(arrows, 3).tolist(),
        "data": _pack(_byte(layer.strongest).tobytes()),
    }


def _box_rows(shown: BoxSet, num_points: NDArray[np.int64] | None) -> list[dict[str, Any]]:
    rows = []
    for i, box in enumerate(shown.boxes):
        row: dict[str, Any] = {"box": [round(float(v), 3) for v in box[:7]], "name": shown.names[i]}
        if len(box) == 9 and np.isfinite(box[7:]).all():
            row["velocity"] = [round(float(v), 2) for v in box[7:]]
        if shown.scores is not None:
            row["score"] = round(float(shown.scores[i]), 3)
        if num_points is not None and num_points[shown.index[i]] >= 0:
            row["points"] = int(num_points[shown.index[i]])
        rows.append(row)
    return rows


def _byte(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _pack(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")
