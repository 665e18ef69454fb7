"""The Python side of the CUDA kernels of ``csrc``: allocate, launch. Nothing of CUDA is touched at import."""
