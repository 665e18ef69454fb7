"""The device of a run, and algorithms that repeat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bev3d._errors import ConfigError

__all__ = ["choose_device", "repeatable"]


def choose_device(setting: str, local_rank: int = 0) -> torch.device:
    """The device that ``config.device`` names; each process of a machine gets a GPU of its own.

    Args:
        setting: ``auto``, ``cpu``, ``cuda`` or ``cuda:NUMBER``.
        local_rank: number of the process on this machine.

    Raises:
        ConfigError: no such device.
    """
    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        reason = "this torch was built without CUDA" if torch.version.cuda is None else "no GPU was found"
        raise ConfigError(f"device: expected cpu or auto, since {reason}, got {setting}")
    index = int(setting.partition(":")[2]) if ":" in setting else local_rank
    if index >= torch.cuda.device_count():
        raise ConfigError(
            f"device: expected one of the {torch.cuda.device_count()} GPUs of this machine, got cuda:{index}; "
            "start as many processes a machine as it has GPUs"
        )
    return torch.device("cuda", index)


@contextmanager
def repeatable(enabled: bool) -> Iterator[None]:
    """Within it torch takes only algorithms that repeat to the bit; its flags are put back afterwards.

    An operation that has none raises torch's own error, which names it. cuBLAS needs a fixed workspace for it, which
    is asked for here and honoured where this process has not used a GPU before.
    """
    if not enabled:
        yield
        return
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if workspace is None:
            del os.environ["CUBLAS_WORKSPACE_CONFIG"]
