import math

import torch

from bev3d.losses import RotatedIouLoss, rotated_iou_loss

target = torch.tensor([[12.0, -3.0, 0.5, 4.6, 1.9, 1.6, 0.3]])
box = (target + torch.tensor([1.5, 0.6, 0.2, -0.8, 0.4, 0.1, 0.5])).requires_grad_()
optimiser = torch.optim.Adam([box], lr=0.02)
for _ in range(300):
    optimiser.zero_grad()
    RotatedIouLoss("diou")(box, target).backward()
    optimiser.step()
assert rotated_iou_loss(box, target).item() < 0.1  # 1 - IoU in 3D
assert math.isclose(rotated_iou_loss(target, target).item(), 0, abs_tol=1e-6)
