"""The detector and its loss."""

from bev3d.models._detector import REGRESSION_CHANNELS, Detector, build_detector
from bev3d.models._encoder import encode_points, encoder_channels

__all__ = ["REGRESSION_CHANNELS", "Detector", "build_detector", "encode_points", "encoder_channels"]
