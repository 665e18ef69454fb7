"""Write docs/losses.md and its figures anew."""

import argparse
from pathlib import Path

from bev3d.guide import write_guide

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-figures", action="store_true", help="only the page")
    write_guide(Path(__file__).resolve().parents[1], figures=not parser.parse_args().no_figures)
