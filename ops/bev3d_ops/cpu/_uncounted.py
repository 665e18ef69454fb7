"""Arrays without an owner, for kernels of many small functions.

Numba counts references to an array wherever a function hands it on, which costs more than what the smallest functions
do. A view that has no owner is not counted. It must not outlive the array, and must not be returned.
"""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["uncounted"]


def _uncounted(typing_context, array):
    """The same memory as a view without an owner."""
    if not isinstance(array, types.Array):
        return None

    def generate(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()

    return array(array), generate


uncounted: Any = intrinsic(_uncounted)
