"""Every kernel beside its peers, in one run: ``bev3d bench``."""

from bev3d.bench._race import Case, Timing, race
from bev3d.bench._run import run_benchmarks

__all__ = ["Case", "Timing", "race", "run_benchmarks"]
