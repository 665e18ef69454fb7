import torch

from bev3d.losses import SmoothL1Loss, balanced_l1_loss, focal_l1_loss

error = torch.tensor([0.02, 0.5, 3.0], requires_grad=True)
for loss in (balanced_l1_loss, focal_l1_loss):
    (slope,) = torch.autograd.grad(loss(error, torch.zeros(3)).sum(), error)
    print(loss.__name__, slope.tolist())
target = torch.tensor([0.0, torch.nan, 0.0])  # NaN: unknown
mean = SmoothL1Loss()(error, target)  # over the two known components
assert torch.isclose(mean, (0.02**2 * 9 / 2 + 3 - 1 / 18) * torch.tensor(0.5))
