"""The preset on a synthetic set: from files to boxes that lie on cars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bev3d.config import load_config
from bev3d.data import open_dataset
from bev3d.synth import write_nuscenes
from bev3d.training import predict, train


@pytest.mark.slow
def test_preset_learns_in_a_hundred_steps(tmp_path: Path) -> None:
    data = write_nuscenes(tmp_path / "data", train_scenes=20, val_scenes=2, samples=2, sweeps=5, seed=3)
    config = replace(load_config("synthetic_nuscenes"), epochs=5.0, log_every_steps=10)
    result = train(config, data, tmp_path / "run")
    assert result.steps == result.total_steps == 100
    assert result.losses["heatmap"] < 3.0
    assert np.isfinite(list(result.losses.values())).all()
    found = predict(result.checkpoint, data)
    dataset = open_dataset(config, data, config.val_split)
    assert list(found) == list(dataset.tokens)
    car = dataset.class_names.index("car")
    hits = total = 0
    for i, token in enumerate(dataset.tokens):
        sample, detections = dataset.annotations(i), found[token]
        seen = sample.boxes[(sample.labels == car) & (sample.num_points >= 50)]
        cars = detections.boxes[(detections.labels == car) & (detections.scores > 0.1), :2]
        for box in seen[np.abs(seen[:, :2]).max(axis=1) < 50]:
            hits += bool(len(cars) and np.linalg.norm(cars - box[:2], axis=1).min() < 2.0)
            total += 1
    assert total >= 5
    assert hits >= 0.6 * total
