"""The detector and its loss."""

from bev3d.models._boxes import decode_outputs
from bev3d.models._detector import Detector, build_detector
from bev3d.models._encoder import encode_points, encoder_channels
from bev3d.models._inputs import ModelInputs, make_inputs
from bev3d.models._loss import DetectionLoss
from bev3d.models._targets import make_targets

__all__ = [
    "DetectionLoss",
    "Detector",
    "ModelInputs",
    "build_detector",
    "decode_outputs",
    "encode_points",
    "encoder_channels",
    "make_inputs",
    "make_targets",
]
