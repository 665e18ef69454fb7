"""The operations as torch knows them: ``torch.ops.bev3d.*``, each with CPU, CUDA, shapes only, and its gradient."""
