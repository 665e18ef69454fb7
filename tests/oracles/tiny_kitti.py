"""A small KITTI object folder of random content."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

__all__ = ["CALIB_TEXT", "tiny_kitti"]

# Numbers of the usual size, with axes exchanged and a camera that is tilted a little against the velodyne.
CALIB_TEXT = """\
P0: 720 0 610 0 0 720 173 0 0 0 1 0
P1: 720 0 610 -387 0 720 173 0 0 0 1 0
P2: 720 0 610 45 0 720 173 0.2 0 0 1 0.003
P3: 720 0 610 -340 0 720 173 2.2 0 0 1 0.003
R0_rect: 0.99995 0.01 0 -0.01 0.99995 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0.01 0 -0.99995 -0.08 0.99995 0 0.01 -0.27
Tr_imu_to_velo: 1 0 0 -0.8 0 1 0 0.3 0 0 1 -0.8

"""

LABEL_TEXT = """\
Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 26.70 -1.59
Pedestrian 0.20 1 1.00 387.63 181.54 423.81 230.12 1.87 0.96 0.65 -5.50 1.87 17.00 0.90
Van 0.00 2 -1.40 400.00 170.00 520.00 260.00 2.10 1.90 5.10 -3.00 1.80 15.00 -1.60
DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10
"""


def tiny_kitti(folder: Path, *, frames: tuple[str, ...] = ("000000", "000007"), with_image: bool = False) -> Path:
    """Write scans, labels, calibration and one list of frames (``train``) into an empty folder."""
    generator = np.random.default_rng(0)
    for name in ("velodyne", "label_2", "calib", "image_2"):
        (folder / "training" / name).mkdir(parents=True)
    (folder / "ImageSets").mkdir()
    (folder / "ImageSets" / "train.txt").write_text("\n".join(frames) + "\n")
    for frame in frames:
        points = generator.uniform((-40, -40, -2, 0), (70, 40, 2, 1), size=(2000, 4)).astype(np.float32)
        points.tofile(folder / "training" / "velodyne" / f"{frame}.bin")
        (folder / "training" / "label_2" / f"{frame}.txt").write_text(LABEL_TEXT)
        (folder / "training" / "calib" / f"{frame}.txt").write_text(CALIB_TEXT)
        if with_image:
            header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 1224, 370)
            (folder / "training" / "image_2" / f"{frame}.png").write_bytes(header)
    return folder
