"""``python -m bev3d.cli``."""

import sys

from bev3d.cli._main import main

sys.exit(main())
