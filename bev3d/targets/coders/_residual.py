"""Residuals of a box to an anchor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bev3d._check import check_boxes, check_choice
from bev3d.boxes import wrap_angle
from bev3d.boxes._backend import atan2, cos, sin
from bev3d.targets.coders._columns import (
    Array,
    check_code,
    check_encodable,
    check_same_kind,
    exp,
    join,
    log,
    named_slices,
)

__all__ = ["Angle", "ResidualCoder", "residual_columns", "restore_columns"]

Angle = Literal["difference", "sin_cos"]


@dataclass(frozen=True)
class ResidualCoder:
    """SECOND's residuals (Yan, Mao, Li 2018, Sensors 18(10) 3337, after VoxelNet, Zhou and Tuzel, 1711.06396).

        offset = (x - xa, y - ya) / sqrt(la² + wa²),  height = (z - za) / ha,  log_size = log(l / la), log(w / wa), ...
        yaw = yaw - yaw_a in [-pi, pi),   or   heading = (sin yaw - sin yaw_a, cos yaw - cos yaw_a)

    A velocity is kept as it is, NaN where unknown; that of an anchor is not read.

    Others: SECOND's first code took z of the bottom face and did not wrap the difference, which a loss of its sine
    does not see; OpenPCDet puts the cosine before the sine. With a loss of sin(difference) the yaw is known up to half
    a turn, see :class:`DirectionBins`.

    Attributes:
        angle: ``"difference"`` (one column) or ``"sin_cos"`` (two).
    """

    angle: Angle = "difference"

    def __post_init__(self) -> None:
        check_choice("angle", self.angle, get_args(Angle))

    @property
    def slices(self) -> dict[str, slice]:
        """Columns of the code by name: offset, height, log_size, yaw or heading, velocity."""
        turn = {"yaw": 1} if self.angle == "difference" else {"heading": 2}
        return named_slices({"offset": 2, "height": 1, "log_size": 3, **turn, "velocity": 2})

    def encode(self, boxes: Array, anchors: Array) -> Array:
        """Code of boxes against their anchors.

        Args:
            boxes: (..., 7 or 9), sizes above 0.
            anchors: (..., 7 or 9), leading dimensions that broadcast.

        Returns:
            (..., 7), with a velocity (..., 9); one column more for ``"sin_cos"``.

        Raises:
            ValueError: wrong shapes; boxes that are not finite or have no size, with their indices (on CUDA that is
                not looked at, and gives NaN or -inf).
            TypeError: not floating point, or an array and a tensor.
        """
        check_encodable(boxes)
        check_boxes("anchors", anchors)
        check_same_kind("anchors", anchors, "boxes", boxes)
        yaw, yaw_a = boxes[..., 6], anchors[..., 6]
        if self.angle == "difference":
            turn = [wrap_angle(yaw - yaw_a)]
        else:
            turn = [sin(yaw) - sin(yaw_a), cos(yaw) - cos(yaw_a)]
        return join([*residual_columns(boxes, anchors), *turn, *(boxes[..., i] for i in range(7, boxes.shape[-1]))])

    def decode(self, code: Array, anchors: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable: (..., 7 or 9), yaw in [-pi, pi)."""
        slices = self.slices
        check_code(code, slices)
        check_boxes("anchors", anchors)
        check_same_kind("anchors", anchors, "code", code)
        if self.angle == "difference":
            yaw = code[..., 6] + anchors[..., 6]
        else:
            yaw = atan2(code[..., 6] + sin(anchors[..., 6]), code[..., 7] + cos(anchors[..., 6]))
        velocity = [code[..., i] for i in range(slices["velocity"].start, code.shape[-1])]
        return join([*restore_columns(code, anchors), wrap_angle(yaw), *velocity])


def residual_columns(boxes: Array, anchors: Array) -> list[Array]:
    """The first six columns: offsets over the anchor's diagonal and height, logarithms of the sizes."""
    diagonal = (anchors[..., 3] ** 2 + anchors[..., 4] ** 2) ** 0.5
    units = (diagonal, diagonal, anchors[..., 5])
    offsets = [(boxes[..., i] - anchors[..., i]) / unit for i, unit in enumerate(units)]
    return offsets + [log(boxes[..., i] / anchors[..., i]) for i in (3, 4, 5)]


def restore_columns(code: Array, anchors: Array) -> list[Array]:
    """The inverse of :func:`residual_columns`: x, y, z, length, width, height."""
    diagonal = (anchors[..., 3] ** 2 + anchors[..., 4] ** 2) ** 0.5
    units = (diagonal, diagonal, anchors[..., 5])
    centre = [code[..., i] * unit + anchors[..., i] for i, unit in enumerate(units)]
    return centre + [exp(code[..., i]) * anchors[..., i] for i in (3, 4, 5)]
