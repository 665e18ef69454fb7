import torch

from bev3d.losses import iou_quality_target, mgiou_3d_loss, odiou_loss, rdiou_loss

target = torch.tensor([[10.0, 4, 0, 4.2, 1.8, 1.5, 0.3]])
pred = (target + torch.tensor([[0.5, -0.2, 0.1, 0.3, 0.1, 0, 0.2]])).requires_grad_()
for loss in (odiou_loss, rdiou_loss, mgiou_3d_loss):
    print(loss.__name__, round(loss(pred, target).item(), 4))
label = iou_quality_target(pred, target, mode="centred")  # 2 IoU - 1, for the IoU head
assert not label.requires_grad
