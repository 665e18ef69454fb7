import math

import torch

from bev3d.losses import CornerLoss, corner_loss

target = torch.tensor([[12.0, -3.0, 0.5, 4.6, 1.9, 1.6, 0.3]])
pred = target + torch.tensor([0.5, 0, 0, 0, 0, 0, math.pi])  # half a metre off, and backwards
for variant in ("per_box", "per_corner", "huber_sum"):
    print(variant, corner_loss(pred, target, variant=variant).item())
assert CornerLoss(flip_invariant=False)(pred, target) > CornerLoss()(pred, target)
