"""One of two processes that the tests of distributed training start; every scenario leaves a file for each rank."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed
from training_worlds import BlockWorld, make_config, with_anchors

from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training import train


def shared_config() -> Config:
    """Three passes over six samples: half a step more than whole passes at four samples a step."""
    return replace(make_config(), epochs=3.0, ema_decay=0.9, rank_timeout_s=60.0, learning_rate=1e-3)


def voxel_config() -> Config:
    """A sparse network, of which a rank without points has nothing to compute."""
    return replace(
        shared_config(),
        encoder="voxels",
        voxel_size_m=(0.25, 0.25, 0.25),
        sparse_channels=(4, 4),
        sparse_blocks=(1, 1),
        sparse_strides=((2, 2, 2),),
        sparse_out_channels=4,
        sparse_paddings=((1, 1, 1),),
        sparse_backend="bev3d",
    )


def mostly_empty(config: Config) -> BlockWorld:
    """Five samples, of which one has objects and one has neither objects nor points."""
    world, bare = BlockWorld(config, 5), BlockWorld(config, 5, objects=0)
    nothing = BlockWorld(config, 5, objects=0, ground=0)
    world._samples = [world._samples[0], *bare._samples[1:4], nothing._samples[4]]
    return world


class Fails(BlockWorld):
    """One rank cannot read one sample."""

    def __getitem__(self, index: int) -> Sample:
        if distributed.get_rank() == 1 and index == 3:
            raise OSError("torn file")
        return super().__getitem__(index)


class Signals(BlockWorld):
    """One rank gets SIGTERM while it reads."""

    def __getitem__(self, index: int) -> Sample:
        if distributed.get_rank() == 1 and len(self.read) == 7:  # of the fourth batch: a step has been taken
            os.kill(os.getpid(), signal.SIGTERM)
        return super().__getitem__(index)


class Dies(BlockWorld):
    """One rank goes away without a word."""

    def __getitem__(self, index: int) -> Sample:
        if distributed.get_rank() == 1 and len(self.read) == 3:
            os._exit(7)
        return super().__getitem__(index)


class NoNumber(BlockWorld):
    """A reading that is no number, in a sample that one rank gets."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._samples[3].points[:, 3] = float("inf")


def main(out: Path) -> None:
    """Run every scenario; the last ends this process."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", timeout=timedelta(seconds=60))
    config, rank = shared_config(), distributed.get_rank()

    def scenario(name: str, world: BlockWorld, changed: Config = config) -> None:
        note: dict[str, object] = {}
        try:
            result = train(changed, ".", out / name, dataset=world)
            note = {"losses": result.losses, "steps": result.steps, "main": result.is_main}
        except BaseException as error:
            note = {"error": type(error).__name__, "text": str(error)}
        (out / f"{name}.{rank}.json").write_text(json.dumps(note))

    scenario("together", BlockWorld(config))
    scenario("apart", BlockWorld(config), replace(config, sync_batch_norm=False))
    scenario("empty", mostly_empty(config))
    scenario("voxels", mostly_empty(voxel_config()), voxel_config())
    scenario("anchors", mostly_empty(config), with_anchors(config))
    scenario("parts", BlockWorld(config), replace(config, batch_size=1, accumulate=2))
    plain = replace(config, flip=False, rotate_rad=0.0, scale_range=0.0)
    scenario("no_number", NoNumber(plain), plain)
    scenario("fails", Fails(config))
    scenario("signalled", Signals(config))
    scenario("dies", Dies(config))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
