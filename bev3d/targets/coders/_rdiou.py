"""Residuals in which rotation is a dimension of its own."""

from __future__ import annotations

from dataclasses import dataclass

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes import wrap_angle
from bev3d.boxes._backend import atan2, cos, sin
from bev3d.targets.coders._columns import (
    Array,
    absolute,
    check_code,
    check_encodable,
    check_same_kind,
    clip,
    exp,
    join,
    named_slices,
)
from bev3d.targets.coders._residual import residual_columns, restore_columns

__all__ = ["RdiouCoder"]


@dataclass(frozen=True)
class RdiouCoder:
    """What RDIoU is computed on (Sheng et al., ECCV 2022, 2207.09332): SECOND's residuals with the rotation apart.

        (x - xa) / d, (y - ya) / d, (z - za) / ha, log(l / la), log(w / wa), log(h / ha), sin D, cos D

    d = sqrt(la² + wa²), D = yaw - yaw_a. Seen in units of the anchor, each code is a box of four dimensions, whose
    fourth side is 1 long; :meth:`overlap` intersects two of them without any polygon.

    The paper's code keeps D and not its sine and cosine: the same overlap, but a loss on the column itself jumps at
    half a turn.

    Attributes:
        side_scale: the authors' code doubles the offsets in y and z, "empirically"; 1 leaves that away.
    """

    side_scale: float = 2.0

    def __post_init__(self) -> None:
        if not self.side_scale > 0:
            raise ValueError(f"side_scale: expected a number > 0, got {self.side_scale}")

    @property
    def slices(self) -> dict[str, slice]:
        """Columns of the code by name: offset, height, log_size, heading, velocity."""
        return named_slices({"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2})

    def encode(self, boxes: Array, anchors: Array) -> Array:
        """(..., 8), with a velocity (..., 10); arguments and errors as :meth:`ResidualCoder.encode`."""
        check_encodable(boxes)
        check_boxes("anchors", anchors)
        check_same_kind("anchors", anchors, "boxes", boxes)
        turn = boxes[..., 6] - anchors[..., 6]
        velocity = [boxes[..., i] for i in range(7, boxes.shape[-1])]
        return join([*residual_columns(boxes, anchors), sin(turn), cos(turn), *velocity])

    def decode(self, code: Array, anchors: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable: (..., 7 or 9), yaw in [-pi, pi)."""
        check_code(code, self.slices)
        check_boxes("anchors", anchors)
        check_same_kind("anchors", anchors, "code", code)
        yaw = wrap_angle(atan2(code[..., 6], code[..., 7]) + anchors[..., 6])
        velocity = [code[..., i] for i in range(8, code.shape[-1])]
        return join([*restore_columns(code, anchors), yaw, *velocity])

    def overlap(self, code: Array, target: Array) -> Array:
        """RDIoU of two codes of one anchor: shared over united volume of the two boxes of four dimensions.

        The fourth intervals lie about sin D cos D* and cos D sin D*, so that their distance is |sin(D - D*)|: a
        difference of half a turn costs nothing.

        Args:
            code: (..., 8 or 10), as :meth:`encode` gives them.
            target: (..., 8 or 10), leading dimensions that broadcast.

        Returns:
            (...) in [0, 1], differentiable; 1 for equal codes.

        Raises:
            ValueError, TypeError: as :meth:`decode`.
        """
        check_code(code, self.slices)
        check_last_dim("target", target, (8, 10))
        check_same_kind("target", target, "code", code)
        scales = (1.0, self.side_scale, self.side_scale)
        shared = volume = volume_target = 1.0
        for i, scale in enumerate(scales):
            size, size_target = exp(code[..., 3 + i]), exp(target[..., 3 + i])
            shared = shared * _shared(scale * (code[..., i] - target[..., i]), size, size_target)
            volume, volume_target = volume * size, volume_target * size_target
        turn = code[..., 6] * target[..., 7] - code[..., 7] * target[..., 6]
        shared = shared * _shared(turn, 1.0 + 0 * turn, 1.0 + 0 * turn)
        return shared / (volume + volume_target - shared)


def _shared(distance: Array, size: Array, size_target: Array) -> Array:
    """Length shared by two intervals whose centres are apart by ``distance``."""
    # min(a, b) = (a + b - |a - b|) / 2, which the two libraries spell alike
    smaller = (size + size_target - absolute(size - size_target)) / 2
    reach = (size + size_target) / 2 - absolute(distance)
    lesser = (smaller + reach - absolute(smaller - reach)) / 2
    return clip(lesser, 0.0, float("inf"))
