"""The written guide to the losses, docs/losses.md, with its figures."""

from bev3d.guide._families import FAMILIES, Family, compat_functions, members, module_of, normalisers
from bev3d.guide._page import guide_page
from bev3d.guide._write import draw_figures, write_guide

__all__ = [
    "FAMILIES",
    "Family",
    "compat_functions",
    "draw_figures",
    "guide_page",
    "members",
    "module_of",
    "normalisers",
    "write_guide",
]
