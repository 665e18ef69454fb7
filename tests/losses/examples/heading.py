import math

import torch

from bev3d.losses import direction_loss, sin_cos_loss, sin_difference_loss

yaw = torch.tensor([0.3, -1.2])
backwards = yaw + math.pi
assert sin_difference_loss(backwards, yaw).max() < 1e-6  # blind to half a turn
logits = torch.tensor([[0.0, 4.0], [4.0, 0.0]])  # of two sectors, which is why it needs a class
print(direction_loss(logits, yaw), sin_cos_loss(torch.stack([backwards.sin(), backwards.cos()], -1),
                                                torch.stack([yaw.sin(), yaw.cos()], -1)))  # fmt: skip
