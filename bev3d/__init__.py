"""bev3d: losses, targets, exact rotated overlap and metrics for people who train 3D LiDAR detectors.

Nothing heavy is imported here; take what you need: ``bev3d.losses``, ``bev3d.overlap``, ``bev3d.targets``,
``bev3d.data``, ``bev3d.evaluation``, ``bev3d.viz``.
"""

from bev3d._errors import ConfigError, DataFormatError, MissingPackageError, UserError

__version__ = "0.1.0"

__all__ = ["ConfigError", "DataFormatError", "MissingPackageError", "UserError", "__version__"]
