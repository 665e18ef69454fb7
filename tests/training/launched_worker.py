"""A user's script that ``torchrun`` starts: it knows nothing of ranks."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from training_worlds import BlockWorld, make_config

from bev3d.training import train

config = replace(make_config(), epochs=1.0)
result = train(config, ".", sys.argv[1], dataset=BlockWorld(config))
# one call, so that the lines of two processes do not mix
text = f"rank {os.environ['RANK']}: step {result.steps} of {result.total_steps}, main {result.is_main}\n"
os.write(1, text.encode())
