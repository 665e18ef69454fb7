// Voxelisation around a sort: a key for each point before it, a walk over the sorted keys after it.
//
// A key holds the sample and the cell's z, y, x in fields of bits; a point outside has the greatest key of all.
#include "common.cuh"

// bits of x and y, of x, y and z together
struct Fields {
    i64 x, y, all;
    HD void take_apart(i64 key, i64* cell, i64 columns) const {
        cell[columns - 1] = key & (((i64)1 << x) - 1);
        cell[columns - 2] = (key >> x) & (((i64)1 << y) - 1);
        cell[columns - 3] = (key >> (x + y)) & (((i64)1 << (all - x - y)) - 1);
        if (columns == 4) cell[0] = key >> all;
    }
};

// Cell along one axis, or -1 outside low <= place < high; a NaN is outside. The quotient may round up to ``cells``.
HD i64 cell_along(double place, double low, double high, double size, i64 cells) {
    return place >= low && place < high ? min_of((i64)((place - low) / size), cells - 1) : -1;
}

KERNEL void point_keys(const scalar_t* __restrict__ points, const i64* __restrict__ samples, i64* __restrict__ keys,
                       i64 count, i64 columns, i64 width, i64 height, i64 depth, i64 bits_x, i64 bits_y, i64 bits,
                       i64 batch_size, double x0, double y0, double z0, double x1, double y1, double z1,
                       double size_x, double size_y, double size_z) {
    FOR_EACH(i, count) {
        const scalar_t* point = points + i * columns;
        const i64 column = cell_along(to_real(point[0]), x0, x1, size_x, width);
        const i64 row = cell_along(to_real(point[1]), y0, y1, size_y, height);
        const i64 level = cell_along(to_real(point[2]), z0, z1, size_z, depth);
        const i64 sample = samples ? samples[i] : 0;
        const bool inside = column >= 0 && row >= 0 && level >= 0 && sample >= 0 && sample < batch_size;
        keys[i] = inside ? column | row << bits_x | level << (bits_x + bits_y) | sample << bits
                         : (i64)0x7fffffffffffffff;
    }
}

// Over the sorted keys: cells (V, 3 or 4), where each voxel begins, and the voxel of each point. voxel (P,): number of
// the voxel of each key, -1 for the keys of points outside.
KERNEL void walk_voxels(const i64* __restrict__ keys, const i64* __restrict__ order, const i64* __restrict__ voxel,
                        i64* __restrict__ cells, i64* __restrict__ starts, i64* __restrict__ point_to_voxel, i64 count,
                        i64 columns, i64 bits_x, i64 bits_y, i64 bits) {
    const Fields fields{bits_x, bits_y, bits};
    FOR_EACH(i, count) {
        point_to_voxel[order[i]] = voxel[i];
        if (voxel[i] < 0 || (i > 0 && voxel[i - 1] == voxel[i])) continue;
        starts[voxel[i]] = i;
        fields.take_apart(keys[i], cells + voxel[i] * columns, columns);
    }
}

// begins (P,), zeroed before: 1 at the first point of each voxel
KERNEL void mark_first_points(const i64* __restrict__ order, const i64* __restrict__ voxel, i64* __restrict__ begins,
                              i64 count) {
    FOR_EACH(i, count)
        if (voxel[i] >= 0 && (i == 0 || voxel[i - 1] != voxel[i])) begins[order[i]] = 1;
}

// The voxels that stay take the next rows. row (P,): row of each voxel; kept (P,): whether it stays; starts (P + 1,).
// slots (rows, most), cells, numbers and point_to_voxel hold -1, -1, 0 and -1 before.
KERNEL void assign_slots(const i64* __restrict__ keys, const i64* __restrict__ order, const i64* __restrict__ voxel,
                         const i64* __restrict__ starts, const bool* __restrict__ kept, const i64* __restrict__ row,
                         i64* __restrict__ slots, i64* __restrict__ cells, i64* __restrict__ numbers,
                         i64* __restrict__ point_to_voxel, i64 count, i64 columns, i64 most, i64 bits_x, i64 bits_y,
                         i64 bits) {
    const Fields fields{bits_x, bits_y, bits};
    FOR_EACH(i, count) {
        const i64 v = voxel[i];
        if (v < 0 || !kept[v]) continue;
        const i64 slot = i - starts[v], target = row[v];
        if (slot < most) {
            slots[target * most + slot] = order[i];
            point_to_voxel[order[i]] = target;
        }
        if (slot != 0) continue;
        numbers[target] = min_of(starts[v + 1] - i, most);
        fields.take_apart(keys[i], cells + target * columns, columns);
    }
}

// out (V, M, C): points (P, C) at slots (V, M), 0 where a slot names no point
KERNEL void group_points(const scalar_t* __restrict__ points, const i64* __restrict__ slots,
                         scalar_t* __restrict__ out, i64 total, i64 channels, i64 count) {
    FOR_EACH(k, total * channels) {
        const i64 slot = k / channels, channel = k - slot * channels, i = slots[slot];
        out[k] = i >= 0 && i < count ? points[i * channels + channel] : from_real<scalar_t>(0);
    }
}

// out (P, C), zeroed before: the way back. No two slots name one point.
KERNEL void ungroup_points(const scalar_t* __restrict__ grad, const i64* __restrict__ slots,
                           scalar_t* __restrict__ out, i64 total, i64 channels, i64 count) {
    FOR_EACH(k, total * channels) {
        const i64 slot = k / channels, channel = k - slot * channels, i = slots[slot];
        if (i >= 0 && i < count) out[i * channels + channel] = grad[k];
    }
}
