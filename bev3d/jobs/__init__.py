"""Long work over a data set: resumable, in one process, several, or on a Ray cluster."""

from bev3d.jobs._executor import Executor, ExecutorKind, make_executor
from bev3d.jobs._generate import generate_targets
from bev3d.jobs._store import load_targets, save_targets

__all__ = ["Executor", "ExecutorKind", "generate_targets", "load_targets", "make_executor", "save_targets"]
