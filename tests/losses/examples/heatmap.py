import torch

from bev3d.losses import HeatmapFocalLoss, gathered_heatmap_focal_loss, num_pos

logits = torch.randn(2, 3, 32, 32, requires_grad=True)
heatmap = torch.rand(2, 3, 32, 32) * 0.9
cells, classes = torch.tensor([[5, 70], [9, 0]]), torch.tensor([[0, 2], [1, 0]])
mask = torch.tensor([[True, True], [True, False]])  # three objects, one free slot
heatmap.flatten(1)[[0, 0, 1], (classes * 1024 + cells)[mask]] = 1
dense = HeatmapFocalLoss()(logits, heatmap, avg_factor=num_pos(mask))
gathered = gathered_heatmap_focal_loss(logits, heatmap, cells, classes, mask, reduction="mean")
assert torch.allclose(dense, gathered)
