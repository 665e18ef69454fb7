"""``bev3d bench`` as a script."""

import sys

from bev3d.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
