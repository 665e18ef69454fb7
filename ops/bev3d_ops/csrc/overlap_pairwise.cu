// Every box of a with every box of b. A block takes tiles of TILE_ROWS boxes of a, made ready in shared memory, by
// blockDim.x boxes of b, one a thread, so that a warp's stores are one piece of a row of the matrix.
#include "overlap.cuh"

constexpr int TILE_ROWS = 16;

// Most pairs are far apart: only those whose circles meet cost more than a comparison.
template <typename T> HD T circle_radius(const Rectangle<T>& box) {
    const T half_length = T(0.5) * box.length, half_width = T(0.5) * box.width;
    return sqrt(half_length * half_length + half_width * half_width) * (T(1) + T(8) * Limits<T>::eps);
}

struct TileRow { Rectangle<real_t> box; real_t s, c, radius; };

// One tile of the matrix value (rows, columns) of a (rows, stride_a) and b (columns, stride_b); all threads of a block
// come with the same t.
HD void fill_tile(TileRow* tile, const scalar_t* __restrict__ a, const scalar_t* __restrict__ b,
                  scalar_t* __restrict__ value, i64 rows, i64 columns, i64 stride_a, i64 stride_b, i64 kind, i64 t) {
    const i64 tiles_across = (columns + blockDim.x - 1) / blockDim.x;
    const i64 down = t / tiles_across, first = down * TILE_ROWS;
    const int count = (int)min_of((i64)TILE_ROWS, rows - first);
    SYNC();
    for (int k = threadIdx.x; k < count; k += blockDim.x) {
        TileRow row;
        row.box = load_box(a + (first + k) * stride_a);
        turn_of(row.box.yaw, row.s, row.c);
        row.radius = circle_radius(row.box);
        tile[k] = row;
    }
    SYNC();
    const i64 column = (t - down * tiles_across) * blockDim.x + threadIdx.x;
    if (column >= columns) return;
    const Rectangle<real_t> box = load_box(b + column * stride_b);
    const real_t radius = circle_radius(box);
    for (int k = 0; k < count; ++k) {
        const TileRow& row = tile[k];
        const real_t dx = box.x - row.box.x, dy = box.y - row.box.y, reach = radius + row.radius;
        real_t result = 0;
        if (dx * dx + dy * dy < reach * reach && box.is_box && row.box.is_box) {
            const real_t area = intersection_area(frame_of(row.box, box, row.s, row.c));
            result = plain_overlap(row.box, box, area, kind);
        }
        value[(first + k) * columns + column] = from_real<scalar_t>(result);
    }
}

HD i64 tiles_of(i64 rows, i64 columns) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS * ((columns + blockDim.x - 1) / blockDim.x);
}

// value (rows, columns) of a (rows, stride_a) and b (columns, stride_b)
KERNEL void pairwise_overlap(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b,
                             scalar_t* __restrict__ value, i64 rows, i64 columns, i64 stride_a, i64 stride_b,
                             i64 kind) {
    SHARED TileRow tile[TILE_ROWS];
    const i64 tiles = tiles_of(rows, columns);
    for (i64 t = blockIdx.x; t < tiles; t += gridDim.x) {
        fill_tile(tile, a, b, value, rows, columns, stride_a, stride_b, kind, t);
    }
}

// The matrices of all samples behind one another in value (total): of sample s, the boxes from offsets[s] on of a
// (rows, stride_a) and from offsets[samples + 1 + s] on of b (columns, stride_b), up to the next sample's. Offsets that
// do not fit read and write nothing that is not there. A block finds its tiles by walking the samples once.
KERNEL void batched_pairwise_overlap(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b,
                                     const i64* __restrict__ offsets, scalar_t* __restrict__ value, i64 samples,
                                     i64 total, i64 rows, i64 columns, i64 stride_a, i64 stride_b, i64 kind) {
    SHARED TileRow tile[TILE_ROWS];
    i64 t = blockIdx.x, start = 0;
    for (i64 s = 0; s < samples; ++s) {
        const i64 first_a = clamp_to(offsets[s], i64(0), rows), last_a = clamp_to(offsets[s + 1], first_a, rows);
        const i64* of_b = offsets + samples + 1;
        const i64 first_b = clamp_to(of_b[s], i64(0), columns), last_b = clamp_to(of_b[s + 1], first_b, columns);
        const i64 height = last_a - first_a, width = last_b - first_b;
        if (height * width > total - start) return;
        const i64 tiles = tiles_of(height, width);
        for (; t < tiles; t += gridDim.x) {
            fill_tile(tile, a + first_a * stride_a, b + first_b * stride_b, value + start, height, width, stride_a,
                      stride_b, kind, t);
        }
        t -= tiles;
        start += height * width;
    }
}
