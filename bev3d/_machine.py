"""What the numbers depend on."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

import bev3d

__all__ = ["machine"]


def machine() -> dict[str, Any]:
    """Processor, load, versions; the GPU's name and driver where there is one."""
    facts: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "bev3d": bev3d.__version__,
        "numpy": np.__version__,
        "torch": torch.__version__,
        "numba": numba.__version__,
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
        facts["cuda"] = torch.version.cuda
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
