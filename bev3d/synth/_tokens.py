"""Tokens and names of a synthetic nuScenes data set."""

from __future__ import annotations

import hashlib

__all__ = ["LOGFILE", "MINI_TRAIN", "MINI_VAL", "scene_names", "token"]

# The devkit knows these scenes as its splits mini_train and mini_val.
MINI_TRAIN = ("0061", "0553", "0655", "0757", "0796", "1077", "1094", "1100")
MINI_VAL = ("0103", "0916")
FIRST_OTHER_SCENE = 5000  # beyond every scene of nuScenes, so that none slips into a split of the devkit
LOGFILE = "n000-2024-01-01-12-00-00+0000"


def token(seed: int, *parts: object) -> str:
    """32 hexadecimal digits that depend on the seed and on what is named."""
    text = "/".join(str(part) for part in ("bev3d-synth", seed, *parts))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def scene_names(train_scenes: int, val_scenes: int) -> tuple[list[str], list[str]]:
    """Names of the training and of the validation scenes, those of the devkit's mini splits first."""
    other_train = max(train_scenes - len(MINI_TRAIN), 0)
    other_val = max(val_scenes - len(MINI_VAL), 0)
    others = [f"{FIRST_OTHER_SCENE + i}" for i in range(other_train + other_val)]
    train = [*MINI_TRAIN[:train_scenes], *others[:other_train]]
    val = [*MINI_VAL[:val_scenes], *others[other_train:]]
    return [f"scene-{name}" for name in train], [f"scene-{name}" for name in val]
