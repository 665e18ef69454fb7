"""One call for an evaluator that fits a configuration, as a training loop wants it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from bev3d.config import Config
from bev3d.data import KittiDataset, NuScenesDataset, open_dataset
from bev3d.evaluation.kitti import KittiEvaluator
from bev3d.evaluation.nuscenes import NuScenesEvaluator

__all__ = ["make_evaluator"]


def make_evaluator(
    config: Config,
    dataroot: str | os.PathLike[str],
    dataset: NuScenesDataset | KittiDataset | str,
    tokens: Sequence[str] | None = None,
) -> NuScenesEvaluator | KittiEvaluator:
    """Ground truth of a split, or of some of its samples, read once.

    ::

        evaluate = make_evaluator(config, dataroot, config.val_split, tokens=dataset.tokens[:200])
        result = evaluate(detections)  # {token: Detections} in the frame of the configuration's data set
        print(result.mean_ap)

    ``mean_ap`` of the result is the official mAP for nuScenes, and for KITTI the mean R40 in space, moderate, of the
    classes that have objects; both lie in [0, 1]. Detections of other samples of the split may be there too and are
    left out of account where ``tokens`` are given.

    Args:
        config: says which data set it is, and in which frame boxes are.
        dataroot: folder of the data set.
        dataset: a split's name, or the data set itself, whose tables are then used.
        tokens: samples of the split; all if left out.

    Raises:
        DataFormatError: a folder, table, split or sample that is missing.
    """
    data = open_dataset(config, dataroot, dataset) if isinstance(dataset, str) else dataset
    if isinstance(data, KittiDataset):
        return KittiEvaluator(data, tokens=tokens)
    return NuScenesEvaluator(
        dataroot, data.tables.version, data.split, frame=data.frame, samples=tokens, tables=data.tables
    )
