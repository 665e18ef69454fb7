"""Targets as files: exactly the same back, equal bytes, damage named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bev3d import DataFormatError
from bev3d.jobs import load_targets, save_targets
from bev3d.targets import HeatmapTargets, Targets


def _targets(samples: int = 1, count: int = 80) -> Targets:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(-6.5, 6.5, (count, 9))
    boxes[:, 3:6] = rng.uniform(0.5, 6, (count, 3))
    boxes[::3, 7:] = np.nan
    generator = HeatmapTargets(
        tasks=[["car"], ["bus", "truck"]],
        range_m=(-8.0, -6.0, -8.0, 8.0, 6.0, 8.0),
        voxel_size_m=(0.2, 0.2, 16.0),
        stride=2,
        max_objects=12,
    )
    return generator([boxes] * samples, [rng.integers(-1, 3, count)] * samples)


@pytest.mark.parametrize("count", [80, 0])
def test_exactly_the_same_targets_come_back(tmp_path: Path, count: int) -> None:
    targets = _targets(count=count)
    save_targets(tmp_path / "a.npz", targets, {"token": "a"})
    loaded = load_targets(tmp_path / "a.npz")
    assert loaded.dropped == targets.dropped
    assert (set(loaded.dropped[0].values()) == {"outside_range", "not_a_class", "over_max_objects"}) == bool(count)
    for task, other in zip(loaded.tasks, targets.tasks, strict=True):
        for name in ("heatmap", "cell_index", "class_index", "box_index", "mask"):
            value, expected = getattr(task, name), getattr(other, name)
            assert value.dtype == expected.dtype
            assert torch.equal(value, expected)
        assert list(task.regression) == list(other.regression)
        for name, value in task.regression.items():
            torch.testing.assert_close(value, other.regression[name], rtol=0, atol=0, equal_nan=True)


def test_equal_targets_give_equal_bytes_and_no_leftovers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_targets(tmp_path / f"{name}.npz", _targets(), {"token": "a"})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_only_batches_of_one_and_npz(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="targets: expected a batch of 1, got 2"):
        save_targets(tmp_path / "a.npz", _targets(2))
    with pytest.raises(ValueError, match=r"path: expected a name ending in \.npz"):
        save_targets(tmp_path / "a.bin", _targets())
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    save_targets(good, _targets())
    data = good.read_bytes()
    flipped = bytearray(data)
    flipped[100] ^= 0xFF  # within the header's compressed data
    for content in (b"", b"not a zip", data[: len(data) // 2], bytes(flipped)):
        bad.write_bytes(content)
        with pytest.raises(DataFormatError, match=r"bad\.npz: expected a file of targets"):
            load_targets(bad)
    np.savez(bad, points=np.zeros(3))
    with pytest.raises(DataFormatError, match=r"bad\.npz: expected a file of targets"):
        load_targets(bad)
    np.savez(bad, header=np.array('{"format": 99}'))
    with pytest.raises(DataFormatError, match=r"bad\.npz: expected targets of format 1, got 99"):
        load_targets(bad)
    with pytest.raises(DataFormatError, match=r"none\.npz: expected a file of targets, but there is none"):
        load_targets(tmp_path / "none.npz")
