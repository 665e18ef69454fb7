"""``bev3d export``: from a checkpoint to a program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bev3d.cli import main
from bev3d.config import Config
from bev3d.data import Sample
from bev3d.models import encode_points
from bev3d.training import load_detector, train


class Points:
    """Two frames of a few points and no object."""

    def __init__(self, config: Config) -> None:
        self.class_names = config.class_names

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Sample:
        points = np.random.default_rng(index).uniform(-4, 4, (100, 5)).astype(np.float32)
        none = np.zeros(0, np.int64)
        return Sample(
            token=str(index), points=points, boxes=np.zeros((0, 9)), labels=none, names=(), num_points=none,
            class_names=self.class_names,
        )  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = Config(
        dataset="nuscenes", tasks=(("car",),), range_m=(-4.0, -4.0, -3.0, 4.0, 4.0, 1.0),
        voxel_size_m=(0.25, 0.25, 4.0), channels=(8, 8), blocks=(1, 1), lateral_channels=8, head_channels=8, epochs=1.0,
    )  # fmt: skip
    return train(
        replace(config, precision="float32"), ".", tmp_path_factory.mktemp("run"), dataset=Points(config)
    ).checkpoint


def test_the_program_is_the_detector(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "dense.pt2"
    assert main(["export", "--checkpoint", str(checkpoint), "--out", str(out)]) == 0
    assert "dense.pt2: images (B, 26, 32, 32) to the head's outputs" in capsys.readouterr().out
    detector, config = load_detector(checkpoint)
    images = encode_points([np.random.default_rng(5).uniform(-4, 4, (50, 5)).astype(np.float32)], config)
    with torch.no_grad():
        wanted = detector.dense(images)[0]
    found = torch.export.load(out).module()(images)[0]
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-5)


def test_what_is_wrong_is_said(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "dense.txt")]) == 2
    assert "expected a file that ends in .pt2 or .onnx" in capsys.readouterr().err
    assert main(["export", "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / "dense.pt2")]) == 2
    assert "no.pt: expected a checkpoint, found no such file" in capsys.readouterr().err
