import torch

from bev3d.losses import boundary_iou, boundary_loss, signed_distance_map

y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
disc = (x - 32) ** 2 + (y - 32) ** 2 < 15**2
distance = signed_distance_map(disc)[None, None]  # in data loading
right, wide = (torch.where((x - 32) ** 2 + (y - 32) ** 2 < r**2, 9.0, -9.0)[None, None] for r in (15, 17))
assert boundary_loss(right, distance, reduction="mean") < boundary_loss(wide, distance, reduction="mean")
print(boundary_iou(wide[0, 0] > 0, disc).item())  # the metric
