"""What an overlap of two boxes can be: the numbers that every implementation, CUDA's too, understands.

A form in two dimensions has an odd number, the same form in three the even one after it.
"""

from __future__ import annotations

__all__ = [
    "CIOU_3D",
    "CIOU_BEV",
    "DIOU_3D",
    "DIOU_BEV",
    "EIOU_3D",
    "EIOU_BEV",
    "GIOU_3D",
    "GIOU_BEV",
    "GIOU_HULL_3D",
    "GIOU_HULL_BEV",
    "INTERSECTION_BEV",
    "IOU_3D",
    "IOU_BEV",
    "KINDS",
]

INTERSECTION_BEV = 0
IOU_BEV, IOU_3D = 1, 2
GIOU_BEV, GIOU_3D = 3, 4  # the enclosing box stands parallel to the second box of the pair, the target
DIOU_BEV, DIOU_3D = 5, 6
CIOU_BEV, CIOU_3D = 7, 8
EIOU_BEV, EIOU_3D = 9, 10
GIOU_HULL_BEV, GIOU_HULL_3D = 11, 12  # enclosed by the convex hull of the footprints, times the enclosing height

KINDS = {
    "intersection_bev": INTERSECTION_BEV,
    "iou_bev": IOU_BEV,
    "iou_3d": IOU_3D,
    "giou_bev": GIOU_BEV,
    "giou_3d": GIOU_3D,
    "diou_bev": DIOU_BEV,
    "diou_3d": DIOU_3D,
    "ciou_bev": CIOU_BEV,
    "ciou_3d": CIOU_3D,
    "eiou_bev": EIOU_BEV,
    "eiou_3d": EIOU_3D,
    "giou_hull_bev": GIOU_HULL_BEV,
    "giou_hull_3d": GIOU_HULL_3D,
}
