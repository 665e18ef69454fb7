"""Detections to files and back, in the format of the data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from bev3d.data import Dataset, Detections, KittiDataset, NuScenesDataset
from bev3d.evaluation.kitti import read_kitti, write_kitti
from bev3d.evaluation.nuscenes import read_nuscenes, write_nuscenes

__all__ = ["read_submission", "write_submission"]


def write_submission(
    path: str | os.PathLike[str],
    detections: Mapping[str, Detections],
    *,
    dataset: Dataset,
    uses: Sequence[str] = ("lidar",),
) -> None:
    """Write what the data set's own evaluation reads.

    nuScenes: one JSON file, boxes upright in the global frame, at most 500 a sample (the best by score), attributes
    guessed from class and speed. A velocity of NaN is written as 0: the metric skips NaN, so that it would hide the
    error. KITTI: a folder with a file of 16 columns for every frame, empty where nothing was found; the image box goes
    around the projected corners, clipped to the picture, and boxes outside the picture are left out.

    Either appears whole or not at all.

    Args:
        path: the JSON file, or the folder of result files.
        detections: by token, for every sample of ``dataset``; boxes in its frame.
        dataset: what was predicted.
        uses: what the detector has seen, for ``meta`` of nuScenes: any of ``camera``, ``lidar``, ``radar``, ``map``,
            ``external``. KITTI's files do not say it.

    Raises:
        ValueError: a sample missing or unknown, mismatched arrays, numbers that are not finite, an unknown source.
        DataFormatError: boxes that the format does not allow, such as a size that is not positive.
        TypeError: a data set of another kind.
    """
    if isinstance(dataset, NuScenesDataset):
        write_nuscenes(path, detections, dataset, uses)
    elif isinstance(dataset, KittiDataset):
        write_kitti(path, detections, dataset)
    else:
        raise _unknown(dataset)


def read_submission(path: str | os.PathLike[str], *, dataset: Dataset) -> dict[str, Detections]:
    """Read what :func:`write_submission` or any other tool wrote, into the frame of the data set, best score first.

    Args:
        path: the JSON file, or the folder of result files.
        dataset: the samples that are answered; boxes come back in its frame.

    Raises:
        DataFormatError: a missing or malformed file; the text names file and sample or line.
        TypeError: a data set of another kind.
    """
    if isinstance(dataset, NuScenesDataset):
        return read_nuscenes(path, dataset)
    if isinstance(dataset, KittiDataset):
        return read_kitti(path, dataset)
    raise _unknown(dataset)


def _unknown(dataset: object) -> TypeError:
    return TypeError(f"dataset: expected a NuScenesDataset or a KittiDataset, got {type(dataset).__name__}")
