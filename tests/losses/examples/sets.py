import torch

from bev3d.losses import DiceLoss, cross_entropy, tversky_loss

logits = torch.randn(2, 3, 50, 50, requires_grad=True)
labels = torch.zeros(2, 50, 50, dtype=torch.int64)
labels[:, 10:13, 20:25] = 1  # a small object; class 2 is nowhere and does not count
labels[:, :2] = -1  # ignored
loss = cross_entropy(logits, labels, reduction="mean") + DiceLoss(over="batch", ignore_index=-1)(logits, labels)
loss.backward()
print(loss.item(), tversky_loss(logits, labels, over="batch", ignore_index=-1).tolist())
