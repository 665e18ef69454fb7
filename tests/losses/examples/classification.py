import torch

from bev3d.losses import FocalLoss, cross_entropy, focal_loss, num_pos

logits = torch.tensor([[-1.0, 0.5, -3.0, 2.0]], requires_grad=True)
labels = torch.tensor([[1.0, 0, 0, -1]])  # a positive, two negatives, one that does not count
loss = FocalLoss()(logits, labels, avg_factor=num_pos(labels == 1))
loss.backward()
assert torch.equal(loss, focal_loss(logits, labels).sum())
assert logits.grad[0, 3] == 0
points = torch.randn(5, 3)
print(loss.item(), cross_entropy(points, torch.tensor([0, 2, 1, -1, 0]), reduction="mean").item())
