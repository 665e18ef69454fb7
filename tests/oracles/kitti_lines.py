"""KITTI labels and detections as lines in memory, written to folders to be scored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

__all__ = ["Line", "random_frames", "write_folder"]

SIZES = {"Car": (1.5, 1.7, 4.0), "Van": (2.0, 1.9, 5.0), "Pedestrian": (1.75, 0.6, 0.8), "Cyclist": (1.7, 0.6, 1.8)}


@dataclass(frozen=True)
class Line:
    """One line; ``score`` None for a label."""

    name: str
    x: float
    z: float
    turn: float = 0.3
    score: float | None = None
    height_px: float = 60.0
    occlusion: int = 0
    alpha: float | None = None
    size: tuple[float, float, float] | None = None

    def text(self) -> str:
        h, w, length = self.size or SIZES[self.name]
        # the picture box goes with the place, so that boxes apart in space are apart in the picture too
        left = 600 + 28 * self.x - 0.5 * self.z
        alpha = self.turn - np.arctan2(self.x, self.z) if self.alpha is None else self.alpha
        words = [self.name, "0.0", str(self.occlusion), f"{alpha:.6f}", f"{left:.6f}", "100", f"{left + 25:.6f}"]
        words += [f"{100 + self.height_px:.6f}", f"{h}", f"{w}", f"{length}"]
        words += [f"{self.x:.6f}", "1.7", f"{self.z:.6f}", f"{self.turn:.6f}"]
        return " ".join([*words, f"{self.score:.6f}"] if self.score is not None else words)


@dataclass
class Frame:
    truth: list[Line] = field(default_factory=list)
    found: list[Line] = field(default_factory=list)


def random_frames(rng: np.random.Generator, count: int) -> list[Frame]:
    """Objects far enough apart that none overlaps another, and detections with every kind of error."""
    frames = []
    for _ in range(count):
        frame = Frame()
        for slot in range(int(rng.integers(2, 7))):
            name = str(rng.choice(["Car", "Car", "Pedestrian", "Cyclist", "Van"]))
            line = Line(
                name, x=-15.0 + 7 * slot, z=float(rng.uniform(10, 40)), turn=float(rng.uniform(-3, 3)),
                height_px=float(rng.choice([60.0, 30.0, 20.0])), occlusion=int(rng.choice([0, 0, 1, 3])),
            )  # fmt: skip
            frame.truth.append(line)
            if rng.random() < 0.8:
                frame.found += _around(line, rng)
        if rng.random() < 0.7:
            found = Line(str(rng.choice(["Car", "Pedestrian"])), x=float(rng.uniform(-20, 20)), z=55.0)
            frame.found.append(replace(found, score=float(rng.random())))
        frames.append(frame)
    return frames


def _around(line: Line, rng: np.random.Generator) -> list[Line]:
    result = []
    for _ in range(1 + (rng.random() < 0.2)):
        reach = {"Car": 1.0, "Van": 1.0}.get(line.name, 0.35)
        shift = reach * rng.choice([0.05, 0.3, 0.8], p=[0.6, 0.2, 0.2]) * rng.normal(size=2)
        name = "Car" if line.name == "Van" else line.name
        if rng.random() < 0.15:
            name = str(rng.choice(["Car", "Pedestrian", "Cyclist"]))
        turn = line.turn + (np.pi if rng.random() < 0.2 else 0.05 * float(rng.normal()))
        found = replace(line, name=name, size=SIZES[line.name], x=line.x + shift[0], z=line.z + shift[1], turn=turn)
        result.append(replace(found, score=float(rng.random()), occlusion=0))
    return result


def write_folder(root: Path, frames: list[Frame]) -> tuple[Path, Path]:
    """Label and result folders."""
    labels, found = root / "label_2", root / "found"
    for folder in (labels, found):
        folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        (labels / f"{i:06d}.txt").write_text("".join(f"{line.text()}\n" for line in frame.truth))
        (found / f"{i:06d}.txt").write_text("".join(f"{line.text()}\n" for line in frame.found))
    return labels, found
