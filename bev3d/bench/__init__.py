"""Every operation beside its peers, in one run: ``bev3d bench``.

Nothing is imported here, so that ``python3 -m bev3d.bench.cuda`` runs with torch, NumPy, Numba and PyYAML alone.
"""
