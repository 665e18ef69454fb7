"""The learned pillar network against its definition written as plain loops in float64."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bev3d.models._voxel_clouds import VoxelCaps
from bev3d.models._voxel_pillars import PillarEncoder

RANGE_M, PILLAR_M = (-4.0, -2.0, -3.0, 4.0, 2.0, 1.0), (0.5, 0.25)
GRID = (16, 16)
CAPS = VoxelCaps(3, 1000, 1000)


def cloud(seed: int, count: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    points = random.uniform((-5, -3, -4, 0, 0), (5, 3, 2, 1, 0.25), (count, 5)).astype(np.float32)
    points[:2, 0] = [np.nan, 4.0][:count]  # outside
    return points


CLOUDS = [cloud(0, 300), cloud(1, 0), cloud(2, 500)]


def encoder(caps: VoxelCaps | None = None, seed: int = 0, **more: Any) -> PillarEncoder:
    """With batch norms that change something."""
    torch.manual_seed(seed)
    made = PillarEncoder(RANGE_M, PILLAR_M, caps=caps, **more)
    with torch.no_grad():
        for part in made.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.uniform_(0.5, 2)
                part.bias.uniform_(-1, 1)
                part.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return made


def pillars(clouds: list[np.ndarray]) -> dict[tuple[int, int, int], list[np.ndarray]]:
    """Points by sample, row and column."""
    found: dict[tuple[int, int, int], list[np.ndarray]] = {}
    for sample, points in enumerate(clouds):
        for point in points.astype(np.float64):
            if np.isfinite(point).all() and (point[:3] >= RANGE_M[:3]).all() and (point[:3] < RANGE_M[3:]).all():
                x, y = (int((point[axis] - RANGE_M[axis]) // PILLAR_M[axis]) for axis in (0, 1))
                found.setdefault((sample, y, x), []).append(point)
    return found


def told(points: list[np.ndarray], row: int, column: int, height_offset: bool) -> np.ndarray:
    """Features of the points of a pillar."""
    together = np.stack(points)
    mean = together[:, :3].mean(axis=0)
    centre = [RANGE_M[0] + (column + 0.5) * PILLAR_M[0], RANGE_M[1] + (row + 0.5) * PILLAR_M[1], -1.0]
    wanted = 3 if height_offset else 2
    return np.concatenate([together, together[:, :3] - mean, (together[:, :3] - centre)[:, :wanted]], axis=1)


def expected_map(made: PillarEncoder, clouds: list[np.ndarray]) -> torch.Tensor:
    """Eval mode, float64: pillar by pillar, with slots of zeros where the network has slots."""
    out = torch.zeros(len(clouds), made.out_channels, *GRID, dtype=torch.float64)
    for (sample, row, column), points in pillars(clouds).items():
        kept = points[: made.caps.max_points] if made.caps else points
        rows = torch.from_numpy(told(kept, row, column, made.height_offset))
        if made.caps:
            rows = torch.cat([rows, rows.new_zeros(made.caps.max_points - len(kept), rows.shape[1])])
        for layer in made.pfn_layers:
            linear, norm = layer.linear, layer.norm
            rows = rows @ linear.weight.T  # type: ignore[operator, union-attr]
            scale = norm.weight / (norm.running_var + 1e-3).sqrt()  # type: ignore[operator, union-attr]
            rows = torch.relu((rows - norm.running_mean) * scale + norm.bias)  # type: ignore[operator, union-attr]
            best = rows.max(dim=0, keepdim=True).values
            rows = best if layer is made.pfn_layers[-1] else torch.cat([rows, best.expand_as(rows)], dim=1)
        out[sample, :, row, column] = rows[0]
    return out


@pytest.mark.parametrize("filters", [(8,), (8, 6), (4, 8, 6)])
@pytest.mark.parametrize("caps", [None, CAPS])
@pytest.mark.parametrize("height_offset", [False, True])
def test_the_map_is_its_definition(caps: VoxelCaps | None, filters: tuple[int, ...], height_offset: bool) -> None:
    made = encoder(caps, filters=filters, height_offset=height_offset).double().eval()
    inputs = made.prepare(CLOUDS)
    in_double = {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}
    actual = made(in_double, 3)
    assert made.in_channels == 10 + height_offset
    assert actual.is_contiguous(memory_format=torch.channels_last)
    # the features come in float32
    torch.testing.assert_close(actual, expected_map(made, CLOUDS), rtol=1e-5, atol=1e-5)


def test_without_empty_slots_hard_and_dynamic_are_one() -> None:
    """Four points in every pillar: in training too, batch statistics and gradients included."""
    random, points = np.random.default_rng(0), []
    for row, column in [(0, 0), (3, 4), (15, 15), (7, 1)]:
        low = (RANGE_M[0] + column * PILLAR_M[0], RANGE_M[1] + row * PILLAR_M[1], -3, 0, 0)
        high = (low[0] + PILLAR_M[0], low[1] + PILLAR_M[1], 1, 1, 1)
        points.append(random.uniform(low, high, (4, 5)))
    clouds = [np.concatenate(points).astype(np.float32)]
    hard, dynamic = encoder(VoxelCaps(4, 100, 100), filters=(8, 6)), encoder(filters=(8, 6))
    dynamic.load_state_dict(hard.state_dict(), strict=True)
    maps = [made(made.prepare(clouds), 1) for made in (hard, dynamic)]
    torch.testing.assert_close(maps[0], maps[1], rtol=1e-5, atol=1e-5)
    for one, made in zip(maps, (hard, dynamic), strict=True):
        one.square().sum().backward()
        assert all(value.grad.abs().sum() > 0 for value in made.parameters())  # type: ignore[union-attr]
    for one, other in zip(hard.parameters(), dynamic.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)
    for one, other in zip(hard.buffers(), dynamic.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("caps", [None, CAPS])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [0, 1])
def test_no_point_and_one(caps: VoxelCaps | None, training: bool, count: int) -> None:
    made = encoder(caps).train(training)
    inputs = made.prepare([cloud(0, 0), np.full((count, 5), 0.25, np.float32)])
    bev = made(inputs, 2)
    assert bev.shape == (2, 64, *GRID)
    assert bev[1, :, 9, 8].any() == bool(count)
    assert bev[:, :, :9].abs().sum() == 0
    bev.sum().backward()
    assert all(value.grad.isfinite().all() for value in made.parameters())  # type: ignore[union-attr]
    assert all(value.isfinite().all() for value in made.state_dict().values())


def test_the_published_network() -> None:
    """nuScenes: pillars of 0.2 m in +-51.2 m, 20 points in each, two layers of 64."""
    made = PillarEncoder(
        (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), (0.2, 0.2), caps=VoxelCaps(20, 30_000, 60_000), filters=(64, 64)
    )
    assert sum(value.numel() for value in made.parameters()) == 10 * 32 + 2 * 32 + 64 * 64 + 2 * 64
    assert list(dict(made.named_parameters()))[:2] == ["pfn_layers.0.linear.weight", "pfn_layers.0.norm.weight"]
    inputs = made.prepare([cloud(0, 100)])
    assert inputs["pillar_features"].shape[1:] == (20, 10)
    assert made(inputs, 1).shape == (1, 64, 512, 512)


def test_caps_of_training_and_evaluation() -> None:
    made = encoder(VoxelCaps(2, 10, 20))
    for training, count in ((True, 10), (False, 20)):
        inputs = made.prepare([cloud(0, 300), cloud(2, 300)], training=training)
        assert inputs["pillar_features"].shape == (2 * count, 2, 10)
        assert inputs["pillar_coordinates"][:, 0].bincount().tolist() == [count, count]


@pytest.mark.parametrize("caps", [None, CAPS])
def test_autocast_around_it_leaves_it_as_it_is(caps: VoxelCaps | None) -> None:
    made = encoder(caps).eval()
    inputs = made.prepare(CLOUDS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = made(inputs, 3)
    assert torch.equal(inside, made(inputs, 3))


def test_copies_are_their_own() -> None:
    made = encoder().eval()
    inputs, twin = made.prepare(CLOUDS), copy.deepcopy(made)
    before = made(inputs, 3)
    with torch.no_grad():
        made.pfn_layers[0].linear.weight.zero_()  # type: ignore[operator, union-attr]
    assert torch.equal(twin(inputs, 3), before)
    assert not torch.equal(made(inputs, 3), before)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("pillar_size_m: expected two sizes", {"pillar_size_m": (0.5, 0.25, 4.0)}),
        ("filters: expected sizes >= 1, even but for the last", {"filters": (7, 8)}),
        ("filters: expected sizes >= 1", {"filters": ()}),
        ("range_m: ", {"pillar_size_m": (0.3, 0.25)}),
    ],
)
def test_wrong_arguments(text: str, arguments: dict[str, Any]) -> None:
    right: dict[str, Any] = {"range_m": RANGE_M, "pillar_size_m": PILLAR_M}
    with pytest.raises(ValueError, match=text):
        PillarEncoder(**(right | arguments))
