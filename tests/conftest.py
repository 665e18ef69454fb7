"""Fixtures that every test may use, and the one place that decides what is skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Spinning OpenMP threads make training steps several times slower beside a busy neighbour; read before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """CUDA tests run where a GPU is; everything else runs everywhere."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs an NVIDIA GPU")
    for item in items:
        if "cuda" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """Torch's thread count, which decides the last bit of a training run, is for every test the same."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real KITTI and nuScenes files (BEV3D_TEST_DATA, default ../shared/data)."""
    root = Path(os.environ.get("BEV3D_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (root / "kitti" / "training").is_dir():
        pytest.skip(f"no real data at {root} (set BEV3D_TEST_DATA)")
    return root


@pytest.fixture(scope="session")
def kitti_root(real_data: Path) -> Path:
    """Folder with the 70 real KITTI frames."""
    return real_data / "kitti"


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device that this machine has."""
    return torch.device(request.param)
