"""Non-maximum suppression."""

from bev3d.nms._greedy import batched_nms, nms_bev, nms_circle, nms_diou, nms_mask
from bev3d.nms._weighted import MergedBoxes, nms_weighted

__all__ = ["MergedBoxes", "batched_nms", "nms_bev", "nms_circle", "nms_diou", "nms_mask", "nms_weighted"]
