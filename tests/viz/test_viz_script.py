import runpy
from pathlib import Path

import pytest

main = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "visualize.py"))["main"]


def test_pictures_of_a_real_frame(kitti_root: Path, tmp_path: Path) -> None:
    assert main(config="kitti_3class", dataroot=kitti_root, out=tmp_path, samples=("000008",)) == 0
    assert {"000008_bev.png", "000008.html"} <= {path.name for path in tmp_path.iterdir()}


def test_errors_are_one_line_and_status_2(kitti_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(config="kitti_3class", dataroot=kitti_root, out=tmp_path, samples=("no_such",)) == 2
    assert capsys.readouterr().err.startswith("error: samples: expected tokens or positions below 24, got 'no_such'")
    assert main(config="kitti_3class", dataroot=tmp_path / "nowhere", out=tmp_path) == 2
    assert list(tmp_path.iterdir()) == []
