// Gaussians of objects on heatmaps.
#include "common.cuh"

// Raise *address to value >= 0. Read as integers with a sign, numbers >= 0 are in order, and any number below 0 is
// below them; a positive NaN stays.
HD void raise_to(float* address, float value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    atomicMax((int*)address, __float_as_int(value));
#else
    if (*address < value) *address = value;
#endif
}
HD void raise_to(double* address, double value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    atomicMax((long long*)address, __double_as_longlong(value));
#else
    if (*address < value) *address = value;
#endif
}
// 16 bits: the word of 32 bits around them is exchanged. An allocation ends on a whole word.
HD void raise_bits(unsigned short* address, unsigned short bits) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    const bool upper = (u64)address & 2u;
    unsigned* word = (unsigned*)((u64)address & ~(u64)3u);
    unsigned seen = *word;
    for (;;) {
        if ((short)(upper ? seen >> 16 : seen & 0xffffu) >= (short)bits) return;
        const unsigned wanted = upper ? (seen & 0xffffu) | ((unsigned)bits << 16) : (seen & 0xffff0000u) | bits;
        const unsigned found = atomicCAS(word, seen, wanted);
        if (found == seen) return;
        seen = found;
    }
#else
    if ((short)*address < (short)bits) *address = bits;
#endif
}
HD void raise_to(half_t* address, float value) { raise_bits(&address->bits, from_real<half_t>(value).bits); }
HD void raise_to(bfloat_t* address, float value) { raise_bits(&address->bits, from_real<bfloat_t>(value).bits); }

// Where the table of radius r starts: those before it have (k + 1) (2 k + 1) numbers each.
HD i64 table_start(i64 r) { return r * (r - 1) * (2 * r - 1) / 3 + 3 * r * (r - 1) / 2 + r; }

HD double gaussian_of(i64 dx, i64 dy, i64 radius) {
    const double sigma = (2.0 * (double)radius + 1.0) / 6.0, x = (double)dx, y = (double)dy;
    return exp(-(x * x + y * y) / (2.0 * sigma * sigma));
}

// planes (count_planes, rows, columns) raised to one Gaussian for each of count objects: a block for each, in turn.
// tables: of radii 0 to widest, rows dy = 0 .. r of columns dx = -r .. r, as cpu/_heatmap.py makes them.
KERNEL void splat_gaussians(scalar_t* __restrict__ planes, const i64* __restrict__ plane_index,
                            const i64* __restrict__ cells_xy, const i64* __restrict__ radii,
                            const float* __restrict__ tables, i64 widest, i64 count, i64 count_planes, i64 rows,
                            i64 columns) {
    for (i64 i = blockIdx.x; i < count; i += gridDim.x) {
        const i64 plane = plane_index[i], u = cells_xy[2 * i], v = cells_xy[2 * i + 1], r = radii[i];
        const bool inside = plane >= 0 && plane < count_planes && u >= 0 && u < columns && v >= 0 && v < rows;
        if (!inside || r < 0) continue;
        const i64 left = min_of(r, u), above = min_of(r, v);
        const i64 width = left + 1 + min_of(r, columns - 1 - u), height = above + 1 + min_of(r, rows - 1 - v);
        const bool tabled = r <= widest && sizeof(scalar_t) != sizeof(double);
        const float* table = tabled ? tables + table_start(r) : nullptr;
        scalar_t* corner = planes + (plane * rows + v - above) * columns + u - left;
        for (i64 k = threadIdx.x; k < width * height; k += blockDim.x) {
            const i64 row = k / width, column = k - row * width, dx = column - left, dy = row - above;
            const real_t value =
                tabled ? (real_t)table[abs_of(dy) * (2 * r + 1) + dx + r] : (real_t)gaussian_of(dx, dy, r);
            raise_to(corner + row * columns + column, value);
        }
    }
}
