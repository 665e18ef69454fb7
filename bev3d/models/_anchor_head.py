"""SECOND's head: classes, boxes and directions of anchors."""

from __future__ import annotations

import math

from torch import Tensor, nn

__all__ = ["ANCHOR_OUTPUTS", "AnchorHead"]

ANCHOR_OUTPUTS = ("class_logits", "box_code", "direction_logits")

PRIOR = 0.01  # probability at the start, so that the many negatives do not drown the first steps (RetinaNet)


class AnchorHead(nn.Module):
    """Three 1 x 1 convolutions over the backbone's features.

    SECOND (Yan, Mao, Li 2018, Sensors 18(10) 3337), PointPillars (Lang et al. 2019, arXiv 1812.05784).

    Args:
        in_channels: channels of the backbone.
        anchors: anchors at a cell.
        classes: number of classes; every anchor is scored for all of them.
        code: numbers of an encoded box, 7 or, with the velocity, 9.
        directions: sectors of the heading.
    """

    def __init__(self, in_channels: int, *, anchors: int, classes: int, code: int, directions: int) -> None:
        super().__init__()
        self.sizes = dict(zip(ANCHOR_OUTPUTS, (classes, code, directions), strict=True))
        self.branches = nn.ModuleDict(
            {name: nn.Conv2d(in_channels, anchors * size, 1) for name, size in self.sizes.items()}
        )
        nn.init.constant_(self.branches["class_logits"].bias, -math.log(1 / PRIOR - 1))  # type: ignore[arg-type]
        # as the prior's authors do (1708.02002): else the loss of a frame with few objects starts near 50
        nn.init.normal_(self.branches["class_logits"].weight, std=0.01)  # type: ignore[arg-type]
        nn.init.normal_(self.branches["box_code"].weight, std=1e-3)  # type: ignore[arg-type]  # starts at the anchors

    def forward(self, features: Tensor) -> list[dict[str, Tensor]]:
        """One entry, whatever the tasks: ``class_logits`` (B, A, classes), ``box_code`` (B, A, 7 or 9) and
        ``direction_logits`` (B, A, sectors) of the A anchors of the grid, in the order of
        :class:`bev3d.targets.Anchors`; float32 also under autocast.
        """
        return [
            {
                name: branch(features).float().permute(0, 2, 3, 1).reshape(features.shape[0], -1, self.sizes[name])
                for name, branch in self.branches.items()
            }
        ]
