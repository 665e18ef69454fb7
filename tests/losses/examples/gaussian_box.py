import torch

from bev3d.losses import GaussianBoxLoss, gaussian_box_loss

target = torch.tensor([[10.0, 4, 0, 4.2, 1.8, 1.5, 0.3]])
pred = target + torch.tensor([[0.5, -0.2, 0.1, 0.3, 0.1, 0, 0.2]])
for kind in ("gwd", "kld", "jd", "bd", "kfiou", "probiou"):
    print(kind, round(gaussian_box_loss(pred, target, kind=kind).item(), 4))
turned = target + torch.tensor([0, 0, 0, 0, 0, 0, torch.pi])
assert GaussianBoxLoss("kld")(turned, target) < 1e-6  # half a turn is not seen
