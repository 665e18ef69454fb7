"""Non-maximum suppression."""

from bev3d.nms._greedy import batched_nms, nms_bev, nms_circle

__all__ = ["batched_nms", "nms_bev", "nms_circle"]
