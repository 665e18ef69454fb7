import torch

from bev3d.losses import LaplaceNllLoss

noise = 2 * torch.distributions.Laplace(0.0, 1.0).sample((2000,))
mean, log_scale = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
optimiser = torch.optim.Adam([mean, log_scale], lr=0.05)
for _ in range(150):
    optimiser.zero_grad()
    LaplaceNllLoss()(mean.expand(2000), noise, log_scale.expand(2000)).backward()
    optimiser.step()
assert abs(mean) < 0.2
assert abs(log_scale.exp() - 2) < 0.2  # it learnt the noise
