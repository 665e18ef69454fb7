import torch

from bev3d.losses import GatherRegressionLoss, num_pos

maps = {"offset": torch.randn(1, 2, 16, 16), "velocity": torch.randn(1, 2, 16, 16, requires_grad=True)}
targets = {"offset": torch.rand(1, 2, 2), "velocity": torch.tensor([[[3.0, 0.5], [torch.nan, torch.nan]]])}
cells, mask = torch.tensor([[17, 40]]), torch.tensor([[True, True]])
loss = GatherRegressionLoss({"offset": 1.0, "velocity": 0.2})
terms = loss(maps, targets, cell_index=cells, mask=mask, avg_factor=num_pos(mask))
terms["velocity"].backward()
assert maps["velocity"].grad.flatten(2)[0, :, 40].abs().sum() == 0  # unknown: no pull
print({name: term.item() for name, term in terms.items()})
