import torch

from bev3d.compat import axis_aligned_iou_3d, centerpoint_fast_focal_loss
from bev3d.losses import gathered_heatmap_focal_loss
from bev3d.overlap import iou_3d

car = torch.tensor([[0.0, 0, 0, 4.6, 1.9, 1.6, 0]])
across = car + torch.tensor([0, 0, 0, 0, 0, 0, torch.pi / 2])
print(axis_aligned_iou_3d(across, car).item(), "in truth", iou_3d(across, car).item())
logits, heatmap = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
cell, label, mask = torch.tensor([[9]]), torch.tensor([[0]]), torch.tensor([[True]])
old = centerpoint_fast_focal_loss(logits, heatmap, cell, label, mask)
assert torch.allclose(old, gathered_heatmap_focal_loss(logits, heatmap, cell, label, mask, reduction="mean"))
