"""Points and boxes."""

from bev3d.points._in_boxes import count_points_in_boxes, points_in_boxes

__all__ = ["count_points_in_boxes", "points_in_boxes"]
