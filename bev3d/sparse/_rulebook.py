"""Which voxel reaches which through which offset of a 3D kernel."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bev3d.sparse._check import Sizes, Three, check_coordinates, three
from bev3d_ops.registered import _rulebook as ops

__all__ = ["Rulebook", "strided_rulebook", "submanifold_rulebook", "transposed_rulebook"]


@dataclass(frozen=True)
class Rulebook:
    """Pairs of an input row and an output row for each offset of a kernel; one serves every layer with these sites.

    Offsets are numbered z, y, x with x fastest, as the weight's axes are: offset k of kernel (kD, kH, kW) is
    (k // (kH kW), k // kW % kH, k % kW).

    Attributes:
        pair_in: (P,) int32, rows of the input.
        pair_out: (P,) int32, rows of the output; each at most once for an offset.
        offsets: (K + 1,) int64; the pairs of offset k are offsets[k] .. offsets[k + 1].
        in_coordinates: (V_in, 4) int32 or int64 batch, z, y, x.
        out_coordinates: (V_out, 4) likewise.
        in_shape: sizes of the input's grid along z, y, x.
        out_shape: sizes of the output's.
        kernel_size: kD, kH, kW.
        batch_size: number of samples.
    """

    pair_in: Tensor
    pair_out: Tensor
    offsets: Tensor
    in_coordinates: Tensor
    out_coordinates: Tensor
    in_shape: Three
    out_shape: Three
    kernel_size: Three
    batch_size: int

    def inverse(self) -> Rulebook:
        """Input and output change places: the way back to the sites that a strided convolution started from.

        Offset k connects the same two sites in both directions, as in spconv's SparseInverseConv3d.
        """
        return Rulebook(
            pair_in=self.pair_out,
            pair_out=self.pair_in,
            offsets=self.offsets,
            in_coordinates=self.out_coordinates,
            out_coordinates=self.in_coordinates,
            in_shape=self.out_shape,
            out_shape=self.in_shape,
            kernel_size=self.kernel_size,
            batch_size=self.batch_size,
        )


def submanifold_rulebook(
    coordinates: Tensor, spatial_shape: Sizes, kernel_size: Sizes, dilation: Sizes = 1, *, batch_size: int
) -> Rulebook:
    """Rulebook of a convolution whose output has the sites of its input, in their order.

    Submanifold sparse convolution (Graham, Engelcke, van der Maaten 2018, arXiv:1711.10275): the output at o reads
    the input at o + (k - kernel_size // 2) * dilation, k the offset. No site is added, so that depth costs no density.

    Args:
        coordinates: (V, 4) int32 or int64 batch, z, y, x, each site once. Any order is right; ascending is fastest.
        spatial_shape: sizes D, H, W of the grid in voxels.
        kernel_size: kD, kH, kW, odd or even.
        dilation: steps between the offsets in voxels.
        batch_size: number of samples; batch lies in [0, batch_size).

    Raises:
        ValueError: wrong shapes or sizes, a site outside the grid, a site given twice.
        TypeError: not an integer tensor.
    """
    check_coordinates(coordinates)
    shape, kernel, apart = three("spatial_shape", spatial_shape, 1), _kernel(kernel_size), _dilation(dilation)
    pair_in, pair_out, offsets = ops.submanifold_pairs(coordinates, _batch(batch_size), shape, kernel, apart)
    return Rulebook(pair_in, pair_out, offsets, coordinates, coordinates, shape, shape, kernel, batch_size)


def strided_rulebook(
    coordinates: Tensor,
    spatial_shape: Sizes,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    *,
    batch_size: int,
) -> Rulebook:
    """Rulebook of a convolution whose output has every site that an input site reaches, ascending by batch, z, y, x.

    As torch's conv3d: the output at o reads the input at o * stride - padding + k * dilation, and its grid has
    floor((size + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1 cells along an axis.

    Args:
        coordinates: see :func:`submanifold_rulebook`.
        spatial_shape: see there.
        kernel_size: kD, kH, kW.
        stride: of the output's grid in voxels of the input.
        padding: of the input's grid on both sides.
        dilation: steps between the offsets.
        batch_size: number of samples.

    Raises:
        ValueError: wrong shapes or sizes, a kernel larger than the padded grid, a site outside the grid or twice.
        TypeError: not an integer tensor.
    """
    check_coordinates(coordinates)
    shape, kernel, apart = three("spatial_shape", spatial_shape, 1), _kernel(kernel_size), _dilation(dilation)
    steps, room = three("stride", stride, 1), three("padding", padding, 0)
    sizes = zip(shape, kernel, steps, room, apart, strict=True)
    out_shape = three("shape of the output", [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes], 1)
    reached, pair_in, pair_out, offsets = ops.strided_pairs(
        coordinates, _batch(batch_size), shape, out_shape, kernel, steps, room, apart, False
    )
    return Rulebook(pair_in, pair_out, offsets, coordinates, reached, shape, out_shape, kernel, batch_size)


def transposed_rulebook(
    coordinates: Tensor,
    spatial_shape: Sizes,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    *,
    batch_size: int,
) -> Rulebook:
    """Rulebook of a transposed convolution, onto every site that an input site reaches, ascending.

    As torch's conv_transpose3d: the input at i reaches the outputs at i * stride - padding + k * dilation in a grid of
    (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1 cells along an axis. To come back
    to the sites of a strided convolution instead, take its :meth:`Rulebook.inverse`.

    Args and errors as :func:`strided_rulebook`; output_padding: cells more at the far end.
    """
    check_coordinates(coordinates)
    shape, kernel, apart = three("spatial_shape", spatial_shape, 1), _kernel(kernel_size), _dilation(dilation)
    steps, room = three("stride", stride, 1), three("padding", padding, 0)
    sizes = zip(shape, kernel, steps, room, apart, three("output_padding", output_padding, 0), strict=True)
    grid = [(n - 1) * s - 2 * p + d * (k - 1) + more + 1 for n, k, s, p, d, more in sizes]
    out_shape = three("shape of the output", grid, 1)
    reached, pair_in, pair_out, offsets = ops.strided_pairs(
        coordinates, _batch(batch_size), shape, out_shape, kernel, steps, room, apart, True
    )
    return Rulebook(pair_in, pair_out, offsets, coordinates, reached, shape, out_shape, kernel, batch_size)


def _kernel(value: Sizes) -> Three:
    return three("kernel_size", value, 1)


def _dilation(value: Sizes) -> Three:
    return three("dilation", value, 1)


def _batch(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"batch_size: expected an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"batch_size: expected >= 1, got {value}")
    return value
