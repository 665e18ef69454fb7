// Which voxel reaches which through which offset of a 3D kernel. Sites are sorted by a flat key; a neighbour is found
// by bisection; tables (K, V) by offset and by sorted site are counted and then written, so that nothing races.
#include "common.cuh"

static constexpr i64 NOWHERE = 0x7fffffffffffffffLL;  // sorts behind every key

// Place of the first of the ascending keys that is not below the wanted one.
HD i64 lower_bound(const i64* keys, i64 count, i64 wanted) {
    i64 low = 0, high = count;
    while (low < high) {
        const i64 middle = low + (high - low) / 2;
        if (keys[middle] < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

// keys (V) of coordinates (V, 4); -1 where a coordinate is outside
KERNEL void site_keys(const i64* __restrict__ coordinates, i64* __restrict__ keys, i64 count, i64 batch, i64 depth,
                      i64 height, i64 width, i64 pitch_z, i64 pitch_y, i64 pitch_x) {
    FOR_EACH(i, count) {
        const i64 b = coordinates[4 * i], z = coordinates[4 * i + 1];
        const i64 y = coordinates[4 * i + 2], x = coordinates[4 * i + 3];
        const bool inside = b >= 0 && b < batch && z >= 0 && z < depth && y >= 0 && y < height && x >= 0 && x < width;
        keys[i] = inside ? ((b * pitch_z + z) * pitch_y + y) * pitch_x + x : -1;
    }
}

// table (K, V): place among the ascending keys (V) of the neighbour at each offset, or -1
KERNEL void find_neighbours(const i64* __restrict__ keys, int* __restrict__ table, i64 count, i64 kernel_z,
                            i64 kernel_y, i64 kernel_x, i64 dilation_z, i64 dilation_y, i64 dilation_x, i64 pitch_y,
                            i64 pitch_x) {
    FOR_EACH(i, count * kernel_z * kernel_y * kernel_x) {
        const i64 k = i / count, site = i - k * count;
        const i64 kx = k % kernel_x, ky = (k / kernel_x) % kernel_y, kz = k / (kernel_x * kernel_y);
        const i64 dz = (kz - kernel_z / 2) * dilation_z, dy = (ky - kernel_y / 2) * dilation_y;
        const i64 wanted = keys[site] + (dz * pitch_y + dy) * pitch_x + (kx - kernel_x / 2) * dilation_x;
        const i64 at = lower_bound(keys, count, wanted);
        table[i] = at < count && keys[at] == wanted ? (int)at : -1;
    }
}

// Where a place on an axis arrives, or -1.
HD i64 step(i64 at, i64 k, i64 stride, i64 padding, i64 dilation, i64 out_size, bool transposed) {
    const i64 reached = transposed ? at * stride - padding + k * dilation : at + padding - k * dilation;
    if (reached < 0) return -1;
    if (transposed) return reached < out_size ? reached : -1;
    return reached % stride == 0 && reached / stride < out_size ? reached / stride : -1;
}

// reached (K, V): key of the site that each offset leads to from coordinates[order[.]], or NOWHERE.
// sizes: the result's depth, height and width, then kernel, stride, padding and dilation, each z, y, x
KERNEL void reach(const i64* __restrict__ coordinates, const i64* __restrict__ order, i64* __restrict__ reached,
                  i64 count, i64 transposed, i64 depth, i64 height, i64 width, i64 kernel_z, i64 kernel_y, i64 kernel_x,
                  i64 stride_z, i64 stride_y, i64 stride_x, i64 padding_z, i64 padding_y, i64 padding_x,
                  i64 dilation_z, i64 dilation_y, i64 dilation_x) {
    FOR_EACH(i, count * kernel_z * kernel_y * kernel_x) {
        const i64 k = i / count;
        const i64* site = coordinates + 4 * order[i - k * count];
        const i64 kx = k % kernel_x, ky = (k / kernel_x) % kernel_y, kz = k / (kernel_x * kernel_y);
        const i64 z = step(site[1], kz, stride_z, padding_z, dilation_z, depth, transposed != 0);
        const i64 y = step(site[2], ky, stride_y, padding_y, dilation_y, height, transposed != 0);
        const i64 x = step(site[3], kx, stride_x, padding_x, dilation_x, width, transposed != 0);
        const bool arrives = z >= 0 && y >= 0 && x >= 0;
        reached[i] = arrives ? ((site[0] * depth + z) * height + y) * width + x : NOWHERE;
    }
}

// The distinct of ascending keys: rank[i] counts them up to and with i. Writes keys (R) and coordinates (R, 4).
KERNEL void write_sites(const i64* __restrict__ sorted, const i64* __restrict__ rank, i64* __restrict__ distinct,
                        i64* __restrict__ coordinates, i64 count, i64 depth, i64 height, i64 width) {
    FOR_EACH(i, count) {
        const i64 key = sorted[i], row = rank[i] - 1;
        if (key == NOWHERE || (i > 0 && sorted[i - 1] == key)) continue;
        distinct[row] = key;
        coordinates[4 * row + 3] = key % width;
        coordinates[4 * row + 2] = (key / width) % height;
        coordinates[4 * row + 1] = (key / width / height) % depth;
        coordinates[4 * row] = key / width / height / depth;
    }
}

// table[i]: place of reached[i] among the distinct keys, or -1
KERNEL void find_sites(const i64* __restrict__ reached, const i64* __restrict__ distinct, int* __restrict__ table,
                       i64 count, i64 sites) {
    FOR_EACH(i, count) table[i] = reached[i] == NOWHERE ? -1 : (int)lower_bound(distinct, sites, reached[i]);
}

// From table (K, V) and the count of its entries >= 0 up to and with each, rank: of the pairs, order[site] to `owner`
// and the entry, through order where by_site is set, to `other`.
KERNEL void write_pairs(const int* __restrict__ table, const i64* __restrict__ rank, const i64* __restrict__ order,
                        int* __restrict__ owner, int* __restrict__ other, i64 count, i64 volume, i64 by_site) {
    FOR_EACH(i, count * volume) {
        const int entry = table[i];
        if (entry < 0) continue;
        owner[rank[i] - 1] = (int)order[i % count];
        other[rank[i] - 1] = by_site ? (int)order[entry] : entry;
    }
}
