"""Write a synthetic nuScenes or KITTI folder: ``bev3d synth`` as a script."""

import sys

from bev3d.cli import main

if __name__ == "__main__":
    sys.exit(main(["synth", *sys.argv[1:]]))
