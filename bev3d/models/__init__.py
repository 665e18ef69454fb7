"""Detectors, their inputs, targets and losses, and the way from their outputs to boxes."""

from bev3d.models._anchor_head import AnchorHead
from bev3d.models._anchor_targets import AnchorTargets
from bev3d.models._boxes import decode_outputs
from bev3d.models._detector import Detector, build_detector
from bev3d.models._encoder import encode_points, encoder_channels
from bev3d.models._export import DensePart, export_dense
from bev3d.models._inputs import ModelInputs, make_inputs
from bev3d.models._loss import DetectionLoss
from bev3d.models._rpn import Rpn
from bev3d.models._separate_head import SeparateHead
from bev3d.models._shared_head import SharedHead
from bev3d.models._sparse_resnet import SparseResNet, SparseResNetSettings
from bev3d.models._targets import DetectionTargets, make_targets
from bev3d.models._voxel_clouds import VoxelCaps
from bev3d.models._voxel_encoder import VoxelEncoder
from bev3d.models._voxel_pillars import PillarEncoder

__all__ = [
    "AnchorHead",
    "AnchorTargets",
    "DensePart",
    "DetectionLoss",
    "DetectionTargets",
    "Detector",
    "ModelInputs",
    "PillarEncoder",
    "Rpn",
    "SeparateHead",
    "SharedHead",
    "SparseResNet",
    "SparseResNetSettings",
    "VoxelCaps",
    "VoxelEncoder",
    "build_detector",
    "decode_outputs",
    "encode_points",
    "encoder_channels",
    "export_dense",
    "make_inputs",
    "make_targets",
]
