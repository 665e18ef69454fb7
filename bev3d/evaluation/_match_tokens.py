"""Whether detections answer exactly the samples that were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bev3d.data import Detections

__all__ = ["check_listed", "match_tokens"]


def check_listed(name: str, tokens: Sequence[str]) -> None:
    """Raise where a single token stands in place of a sequence: its letters would be taken for tokens.

    Raises:
        TypeError: the text names the argument.
    """
    if isinstance(tokens, str):
        raise TypeError(f"{name}: expected a sequence of tokens, got the text {tokens!r}")


def match_tokens(name: str, detections: Mapping[str, Detections], tokens: Sequence[str]) -> None:
    """Raise unless every token has detections that are its own, and there are no others.

    Raises:
        ValueError: a sample missing or unknown, detections under another sample's key, boxes of another shape, arrays
            of different lengths, a label without a class; the text names the sample.
        TypeError: something else than detections.
    """
    known = set(tokens)
    for token in tokens:
        if token not in detections:
            raise ValueError(f"{name}: expected an entry for each of {len(tokens)} samples, {token} has none")
    for token, found in detections.items():
        where = f"{name}[{token!r}]"
        if token not in known:
            raise ValueError(f"{where}: not a sample of this split ({len(tokens)} samples)")
        if not isinstance(found, Detections):
            raise TypeError(f"{where}: expected Detections, got {type(found).__name__}")
        if found.token != token:
            raise ValueError(f"{where}: expected detections of this sample, got those of {found.token!r}")
        if found.boxes.ndim != 2 or found.boxes.shape[1] not in (7, 9):
            raise ValueError(f"{where}: expected boxes of shape (N, 7) or (N, 9), got {found.boxes.shape}")
        count = len(found.boxes)
        if found.scores.shape != (count,) or found.labels.shape != (count,):
            shapes = f"scores {found.scores.shape} and labels {found.labels.shape}"
            raise ValueError(f"{where}: expected {count} scores and labels for {count} boxes, got {shapes}")
        if not np.isfinite(found.scores).all() or not np.isfinite(found.boxes[:, :7]).all():
            raise ValueError(f"{where}: expected finite boxes and scores")
        if count and (found.labels.min() < 0 or found.labels.max() >= len(found.class_names)):
            raise ValueError(f"{where}: expected labels in 0 .. {len(found.class_names) - 1}, got {found.labels}")
