"""The regression laboratory: boxes from many starts, each going down every loss: ``bev3d lab``."""

from bev3d.lab._losses import LabLoss, all_losses
from bev3d.lab._run import run_lab

__all__ = ["LabLoss", "all_losses", "run_lab"]
