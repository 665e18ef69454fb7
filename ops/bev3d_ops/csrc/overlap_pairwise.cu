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

// value (rows, columns) of a (rows, stride_a) and b (columns, stride_b)
KERNEL void pairwise_overlap(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b,
                             scalar_t* __restrict__ value, i64 rows, i64 columns, i64 stride_a, i64 stride_b,
                             i64 kind) {
    SHARED TileRow tile[TILE_ROWS];
    const i64 tiles_across = (columns + blockDim.x - 1) / blockDim.x;
    const i64 tiles_down = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (i64 t = blockIdx.x; t < tiles_across * tiles_down; t += gridDim.x) {
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
        if (column >= columns) continue;
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
}
