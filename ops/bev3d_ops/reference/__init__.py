"""The same operations in plain torch: obvious, differentiable, on any device."""
