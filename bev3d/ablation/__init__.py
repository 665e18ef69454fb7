"""What a setting is worth: one run for every variant and seed, scored by the data set's metric, as a table."""

from bev3d.ablation._run import Variant, ablate
from bev3d.ablation._variants import read_variants

__all__ = ["Variant", "ablate", "read_variants"]
