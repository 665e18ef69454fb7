"""Kernels for the CPU, compiled by Numba on first use."""

from bev3d_ops._announce import announce_numba

announce_numba()
