import torch

from bev3d.losses import centerness_loss, centerness_target, multibox_loss

labels = torch.tensor([[2, 0, 0, 0, 0, 0, -1, 1]])  # 0 background, -1 does not count
loss = multibox_loss(torch.randn(1, 8, 3), labels, torch.randn(1, 8, 7), torch.randn(1, 8, 7))
print((loss > 0).sum().item(), "anchors count: 2 positives, 5 of their 6 negatives")
points = torch.tensor([[10.0, 4, 0], [11.0, 4, 0], [14.0, 4, 0]])  # centre, half way to the front, outside
box = torch.tensor([10.0, 4, 0, 4, 2, 1.5, 0]).expand(3, 7)
target = centerness_target(points, box)
print(target.tolist(), centerness_loss(torch.zeros(3), target).tolist())
