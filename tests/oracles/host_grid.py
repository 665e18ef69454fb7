"""The CUDA kernels run on the host by a grid of blocks of several threads.

One thread, as in ``host_kernels``, cannot tell a kernel with a missing barrier from a right one. Here the threads of a
block are threads of the system, ``SYNC()`` is a barrier between them and shared memory is shared; blocks run one after
the other. For kernels without atomics, which are plain additions on the host.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import torch
from oracles import host_kernels

from bev3d_ops.cuda._launch import Argument, Launch, pack_arguments
from bev3d_ops.cuda._source import scalar_name, source

_ONE_THREAD = "static constexpr OneThread threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};"
_REPLACED = {
    "#define SHARED static thread_local": "#define SHARED static",
    "#define SYNC() ((void)0)": "#include <pthread.h>\n#define SYNC() pthread_barrier_wait(&barrier)",
    _ONE_THREAD: """
static pthread_barrier_t barrier;
static thread_local OneThread threadIdx;
static OneThread blockIdx, blockDim, gridDim;
extern "C" void set_block(long long block, long long blocks, long long threads) {
    blockIdx.x = block, gridDim.x = blocks, blockDim.x = threads;
    pthread_barrier_init(&barrier, nullptr, threads);
}
extern "C" void set_thread(long long thread) { threadIdx.x = thread; }
""",
}


def grid_launch(threads: int, blocks: int, only: Sequence[int] | None = None) -> Launch:
    """A launcher whose launches all have this shape.

    Args:
        threads: of a block.
        blocks: of the grid.
        only: the blocks that run; default all.
    """

    def launch(kernel: str, dtype: torch.dtype, count: int, *args: Argument, block: int = 0, blocks: int = 0) -> None:
        unit, name = kernel.split(".")
        library = _library(unit, scalar_name(dtype))
        function = getattr(library, name)
        packed, _ = pack_arguments(args)
        form = [ctypes.c_double if isinstance(value, float) else ctypes.c_longlong for value in args]
        values = [kind.from_buffer_copy(packed, 8 * i).value for i, kind in enumerate(form)]
        function.argtypes, function.restype = form, None

        def run_thread(index: int) -> None:
            library.set_thread(ctypes.c_longlong(index))
            function(*values)

        with ThreadPoolExecutor(threads) as pool:
            for index in range(shape[0]) if only is None else only:
                library.set_block(*map(ctypes.c_longlong, (index, *shape)))
                list(pool.map(run_thread, range(threads)))

    shape = (blocks, threads)
    return launch


@functools.cache
def _library(unit: str, scalar: str) -> ctypes.CDLL:
    text = source(unit)
    for before, after in _REPLACED.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    with mock.patch.object(host_kernels, "source", return_value=text):
        return host_kernels._library.__wrapped__(unit, scalar)
