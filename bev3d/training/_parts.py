"""Detections that are finished, on the disk until all are."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import bev3d
from bev3d._errors import DataFormatError
from bev3d._files import atomic_path, claim_folder
from bev3d.config import Config, config_hash
from bev3d.data import Dataset, Detections

__all__ = ["PredictionParts"]


class PredictionParts:
    """Files of the detections of consecutive samples, each of which appears whole or not at all.

    Args:
        folder: made if need be; ``job.json`` in it says what the detections depend on.
        checkpoint: weights.
        config: settings.
        dataset: samples.
        device: kind of the device: another one rounds differently.

    Raises:
        ConfigError: the folder holds detections of other settings, weights or samples.
    """

    def __init__(self, folder: Path, checkpoint: Path, config: Config, dataset: Dataset, device: str) -> None:
        self.folder, self.dataset = folder, dataset
        settings = {
            "bev3d": bev3d.__version__,
            "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
            "config": config_hash(replace(config, loader_workers=0)),
            "tokens_sha256": hashlib.sha256("\n".join(dataset.tokens).encode()).hexdigest(),
            "device": device,
        }
        claim_folder(folder, settings, what="detections")

    def read(self, ranges: Sequence[range]) -> dict[int, list[Detections]]:
        """The parts that are there, by their first sample; a damaged one counts as absent.

        Args:
            ranges: samples of each part.
        """
        parts = {samples.start: self._read_if_sound(samples) for samples in ranges}
        return {first: part for first, part in parts.items() if part is not None}

    def write(self, first: int, detections: Sequence[Detections]) -> None:
        """Keep the detections of the samples from ``first`` on."""
        with atomic_path(self._path(first)) as temporary:
            np.savez(
                temporary,
                tokens=np.array(json.dumps([one.token for one in detections])),
                count=np.array([len(one.scores) for one in detections], np.int64),
                boxes=np.concatenate([one.boxes for one in detections]),
                scores=np.concatenate([one.scores for one in detections]),
                labels=np.concatenate([one.labels for one in detections]),
            )

    def _path(self, first: int) -> Path:
        return self.folder / f"part-{first:08d}.npz"

    def _read_if_sound(self, samples: range) -> list[Detections] | None:
        try:
            return self._read(samples)
        except DataFormatError:
            return None

    def _read(self, samples: range) -> list[Detections]:
        path, tokens = self._path(samples.start), [self.dataset.tokens[i] for i in samples]
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
                if json.loads(str(file["tokens"])) != tokens:
                    raise DataFormatError(f"{path}: expected detections of the samples {tokens[0]} to {tokens[-1]}")
                stops = np.cumsum(file["count"])[:-1]
                boxes, scores, labels = (np.split(file[name], stops) for name in ("boxes", "scores", "labels"))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
            raise DataFormatError(f"{path}: expected detections, got: {error}") from error
        names = self.dataset.class_names
        columns = zip(tokens, boxes, scores, labels, strict=True)
        return [Detections(*one, names) for one in columns]
