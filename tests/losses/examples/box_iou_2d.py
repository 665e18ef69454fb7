import torch

from bev3d.losses import BoxIouLoss2d, box_iou_loss_2d

target = torch.tensor([[0.0, 0.0, 4.0, 2.0]])
apart = torch.tensor([[5.0, 0.0, 8.0, 2.0]], requires_grad=True)
for kind in ("iou", "giou", "diou", "ciou", "eiou"):
    (slope,) = torch.autograd.grad(box_iou_loss_2d(apart, target, kind=kind).sum(), apart)
    print(kind, slope.tolist())
collapsed = torch.tensor([[1.0, 1.0, 1.0, 2.0]])  # no width: finite, and it grows
assert BoxIouLoss2d("ciou")(collapsed, target).isfinite()
