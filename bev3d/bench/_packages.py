"""Packages that do the same: which are installed, and their rotated overlap in our layout of a box."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from bev3d.boxes import corners_bev

__all__ = ["OVERLAP_PACKAGES", "PACKAGES", "installed", "package", "package_versions", "quiet"]

# module and distributions that bring it; what is absent is listed as such
PACKAGES = {
    "shapely": ("shapely",),
    "powerboxes": ("powerboxes",),
    "open3d": ("open3d-cpu", "open3d"),
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "nuscenes": ("nuscenes-devkit",),
    "torchvision": ("torchvision",),
    "mmcv": ("mmcv", "mmcv-lite"),
    "detectron2": ("detectron2",),
    "pytorch3d": ("pytorch3d",),
    "spconv": ("spconv-cu120", "spconv-cu126", "spconv"),
    "torch_scatter": ("torch-scatter",),
}


@cache
def installed(module: str) -> bool:
    """Whether the module can be imported; one that fails in any way cannot."""
    try:
        importlib.import_module(module)
    except Exception:  # a package built for another torch raises what it likes
        return False
    return True


def package(module: str) -> Any:
    """The module; its types are not asked for."""
    return importlib.import_module(module)


def package_versions() -> dict[str, str]:
    """Version of every package by module name, or why there is none."""
    return {module: _version(module, names) for module, names in PACKAGES.items()}


def _version(module: str, distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return version if installed(module) else f"{version}, cannot be imported"
    return "not installed"


@contextmanager
def quiet() -> Iterator[None]:
    """Send the process's standard error nowhere: a panic of powerboxes prints its whole stack."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def degrees_boxes(boxes: np.ndarray) -> np.ndarray:
    """(N, 5) x, y, length, width, yaw in degrees, as powerboxes has them."""
    # powerboxes panics on what is not in C order
    flat = np.ascontiguousarray(boxes[:, [0, 1, 3, 4, 6]], dtype=np.float64)
    flat[:, 4] = np.degrees(flat[:, 4])
    return flat


def open3d_boxes(boxes: np.ndarray) -> np.ndarray:
    """(N, 5) x, y, length, width, minus yaw, as Open3D's KITTI layout has them."""
    flat = np.ascontiguousarray(boxes[:, [0, 1, 3, 4, 6]], dtype=np.float32)
    flat[:, 4] *= -1
    return flat


def rotated_rectangles(boxes: np.ndarray) -> list[Any]:
    """OpenCV's rotated rectangles: centre, size, degrees."""
    return [((x, y), (length, width), yaw) for x, y, length, width, yaw in degrees_boxes(boxes).tolist()]


def polygons(boxes: np.ndarray) -> Any:
    """Shapely polygons of the footprints."""
    import shapely

    return shapely.polygons(corners_bev(boxes))


def shapely_aligned(a: Any, b: Any) -> np.ndarray:
    """IoU of aligned polygons."""
    import shapely

    both = shapely.area(shapely.intersection(a, b))
    union = shapely.area(a) + shapely.area(b) - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def shapely_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Only pairs that a tree of bounding boxes finds, as one would do it."""
    import shapely

    one, other = polygons(a), polygons(b)
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    result = np.zeros((len(a), len(b)))
    result[i, j] = shapely_aligned(one[i], other[j])
    return result


def opencv_aligned(a: list[Any], b: list[Any]) -> np.ndarray:
    """IoU of aligned rectangles, as its documentation shows: intersection, hull, area."""
    import cv2

    result = np.zeros(len(a))
    for i, (one, other) in enumerate(zip(a, b, strict=True)):
        points = cv2.rotatedRectangleIntersection(one, other)[1]
        both = 0.0 if points is None or len(points) < 3 else cv2.contourArea(cv2.convexHull(points))
        union = one[1][0] * one[1][1] + other[1][0] * other[1][1] - both
        result[i] = both / union if union > 0 else 0.0
    return result


def _shapely_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return shapely_aligned(polygons(a), polygons(b))


def _opencv_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return opencv_aligned(rotated_rectangles(a), rotated_rectangles(b))


def _powerboxes_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """It has matrices only: one of one pair, so that a panic costs that pair alone."""
    one, other = degrees_boxes(a), degrees_boxes(b)
    with quiet():
        return np.array([_powerboxes_pair(one[i : i + 1], other[i : i + 1]) for i in range(len(a))])


def _powerboxes_pair(one: np.ndarray, other: np.ndarray) -> float:
    try:
        return 1 - float(package("powerboxes").rotated_iou_distance(one, other)[0, 0])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic is no Exception
        return float("nan")


def _open3d_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from open3d.ml.contrib import iou_bev_cpu

    one, other = open3d_boxes(a), open3d_boxes(b)
    return np.array([iou_bev_cpu(one[i : i + 1], other[i : i + 1])[0, 0] for i in range(len(a))])


def _torchvision_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import torch

    box_iou = package("torchvision.ops").box_iou
    one, other = (torch.from_numpy(degrees_boxes(boxes)) for boxes in (a, b))
    return np.array([float(box_iou(one[i : i + 1], other[i : i + 1], fmt="cxcywhr")) for i in range(len(a))])


# module: (name on the page, IoU (N,) of the footprints of aligned boxes (N, 7))
OVERLAP_PACKAGES: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "shapely": ("shapely", _shapely_pairs),
    "powerboxes": ("powerboxes", _powerboxes_pairs),
    "open3d": ("Open3D iou_bev_cpu (float32)", _open3d_pairs),
    "cv2": ("OpenCV rotatedRectangleIntersection", _opencv_pairs),
    "torchvision": ("torchvision box_iou", _torchvision_pairs),
}
