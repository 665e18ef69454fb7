"""What the benchmark judges by is right, and the usual kernels are what they are said to be: right, mostly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles import adversarial, exact_overlap

from bev3d.bench._accuracy import accuracy
from bev3d.bench._packages import OVERLAP_PACKAGES, installed, package_versions
from bev3d.bench.cases._inputs import cloud, heaps, pairs, street
from bev3d.bench.usual._eager import eager_corner, eager_scatter, eager_voxels, eager_voxels_by_key
from bev3d.bench.usual._loops import matrix_nms, points_loop, points_numpy, voxel_loop
from bev3d.bench.usual._nms import clipped_nms, usual_nms
from bev3d.bench.usual._overlap import aligned_clipped, aligned_usual, pairwise_clipped, pairwise_usual
from bev3d.bench.usual._torch_overlap import eager_iou_3d, eager_iou_bev
from bev3d.losses import corner_loss


@pytest.mark.parametrize("name", ["jitter", "identical", "turned by quarters", "strips", "zero size", "tiny"])
def test_clipping_is_exact(name: str) -> None:
    a, b = adversarial.pairs(name)
    assert np.abs(aligned_clipped(a, b) - adversarial.truth(name, "float64", "iou_bev")).max() <= 1e-12


def test_usual_kernels_are_right_on_ordinary_pairs() -> None:
    a, b = pairs(300)
    truth = exact_overlap.each(exact_overlap.iou_bev, a, b)
    assert np.abs(aligned_usual(a, b, 0.0) - truth).max() <= 1e-9
    assert 1e-4 < np.abs(aligned_usual(a, b, 1e-2) - truth).max() < 0.05
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    assert np.abs(eager_iou_bev(ta, tb).numpy() - truth).max() <= 1e-5
    truth = exact_overlap.each(exact_overlap.iou_3d, a, b)
    assert np.abs(eager_iou_3d(ta, tb).numpy() - truth).max() <= 1e-5
    for matrix, aligned in ((pairwise_clipped, aligned_clipped), (pairwise_usual, aligned_usual)):
        margin = () if aligned is aligned_clipped else (0.0,)
        full = matrix(a[:5], b[:7], *margin)
        assert np.array_equal(full[2], aligned(np.repeat(a[2:3], 7, axis=0), b[:7], *margin))


def test_counts_of_wrong_pairs() -> None:
    rows = accuracy(small=True)
    assert rows is not None
    assert all(row.pairs == 6000 for row in rows)
    for row in rows:
        assert (row.wrong == 0) == (row.worst_set == "")
        if row.ours:
            assert (row.wrong, row.silent, row.outside) == (0, 0, 0)
    # whatever optional packages stand beside it, the usual kernel with its margin does
    assert all(row.wrong > 20 for row in rows if "margin 1 cm" in row.contestant)
    assert sum("margin 1 cm" in row.contestant for row in rows) == 2


@pytest.mark.parametrize("module", sorted(OVERLAP_PACKAGES))
def test_packages_take_our_boxes(module: str) -> None:
    if not installed(module):
        pytest.skip(f"{module} is not installed")
    a, b = pairs(200)
    a[:, :2], b[:, :2] = a[:, :2] / 10, b[:, :2] - 0.9 * a[:, :2]
    overlap = OVERLAP_PACKAGES[module][1]
    assert np.abs(overlap(a, b) - aligned_clipped(a, b)).max() < 2e-3


def test_absent_packages_are_listed() -> None:
    versions = package_versions()
    assert versions["detectron2"] == "not installed"
    assert versions["shapely"][0].isdigit()


def test_suppression() -> None:
    boxes, scores = heaps(300)
    matrix = pairwise_clipped(boxes, boxes) > 0.2
    expected = matrix_nms(lambda: matrix, scores)
    assert 10 < len(expected) < 100
    assert clipped_nms(boxes, scores, 0.2).tolist() == expected.tolist()
    assert usual_nms(boxes, scores, 0.2, 0.0).tolist() == expected.tolist()


def test_points_and_voxels() -> None:
    points, boxes = cloud(3000), street(20, spread_m=15)
    owner = points_numpy(points, boxes)
    assert (owner >= 0).sum() > 50
    assert np.array_equal(points_loop(points, boxes), owner)
    low, size, grid = np.array([-20.0, -20.0, -3.0]), np.array([1.0, 1.0, 3.0]), np.array([40, 40, 2])
    voxels, cells, counts = voxel_loop(points, low, size, grid, 5, 10_000)
    tensors = [torch.from_numpy(points), *(torch.from_numpy(v) for v in (low, size, grid))]
    rows, by_key = eager_voxels(*tensors), eager_voxels_by_key(*tensors)
    for one, other in zip(rows, by_key, strict=True):
        assert torch.equal(one, other)
    assert {tuple(cell) for cell in cells.tolist()} == {tuple(cell) for cell in rows[0].tolist()}
    assert counts.sum() == rows[1].bincount().clamp(max=5).sum()
    first = voxels[0, 0]
    assert cells[0].tolist() == np.floor((first[:3] - low) / size).astype(int)[::-1].tolist()


def test_eager_forms() -> None:
    a, b = (torch.from_numpy(boxes) for boxes in pairs(50))
    assert torch.allclose(eager_corner(a, b), corner_loss(a, b, variant="per_corner"))
    values, index = torch.tensor([[1.0], [5.0], [3.0]]), torch.tensor([0, 2, 0])
    assert eager_scatter(values, index, 3, "amax")[:, 0].tolist() == [3, 0, 5]
    assert eager_scatter(values, index, 3, "mean")[:, 0].tolist() == [2, 0, 5]
