"""``bev3d evaluate`` as a script."""

import sys

from bev3d.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
