import torch

from bev3d.losses import CompositeLoss, UncertaintyWeighting, focal_loss, smooth_l1_loss

loss = CompositeLoss(
    {
        "class": (lambda x, y: focal_loss(x, y, reduction="sum"), 1.0),
        "box": (lambda x, y: smooth_l1_loss(x, y, reduction="mean"), lambda step: min(1.0, step / 500)),
    }
)
scores, boxes = (torch.randn(4, 3), torch.zeros(4, 3)), (torch.randn(2, 7), torch.zeros(2, 7))
result = loss({"class": scores, "box": boxes}, step=250)
print(result.total.item(), result.terms, result.weights)
learnt = UncertaintyWeighting({"class": "classification", "box": "regression"})
print(learnt(result.terms).weights)  # give learnt.parameters() to the optimiser
