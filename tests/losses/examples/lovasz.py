import torch

from bev3d.losses import LovaszSoftmaxLoss, lovasz_hinge_loss

labels = torch.zeros(1, 100, dtype=torch.int64)
labels[0, :10] = 1
logits = torch.where(labels == 1, 5.0, -5.0)
assert lovasz_hinge_loss(logits, labels) == 0
logits[0, :5] = -5.0  # half of the object missed: Jaccard 1/2, margins of 6
assert torch.isclose(lovasz_hinge_loss(logits, labels), torch.tensor([3.0]))
print(LovaszSoftmaxLoss()(torch.stack([-logits, logits], 1), labels).item())
