"""The detector and its loss."""

from bev3d.models._detector import Detector, build_detector
from bev3d.models._encoder import encode_points, encoder_channels
from bev3d.models._loss import DetectionLoss

__all__ = ["DetectionLoss", "Detector", "build_detector", "encode_points", "encoder_channels"]
