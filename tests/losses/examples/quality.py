import torch

from bev3d.losses import DistributionFocalLoss, VarifocalLoss, quality_focal_loss, sum_quality

logits = torch.randn(8, 3, requires_grad=True)
quality = torch.zeros(8, 3)
quality[0, 1], quality[4, 2] = 0.83, 0.41  # IoU of the positives, at their classes
loss = VarifocalLoss()(logits, quality, avg_factor=sum_quality(quality))
print(loss.item(), quality_focal_loss(logits, quality).sum().item())
bins = torch.randn(2, 17)  # distances of 0 to 16
print(DistributionFocalLoss()(bins, torch.tensor([3.4, 16.0])).item())
