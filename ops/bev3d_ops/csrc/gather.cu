// Values of maps (B, C, H * W) at flat cells (B, M), and the way back.
#include "common.cuh"

// out (B, M, C) = maps[b, :, cell_index[b, m]]; a cell outside the map gives 0
KERNEL void gather_cells(const scalar_t* __restrict__ maps, const i64* __restrict__ cell_index,
                         scalar_t* __restrict__ out, i64 batch, i64 channels, i64 cells, i64 objects) {
    FOR_EACH(i, batch * objects * channels) {
        const i64 row = i / channels, channel = i - row * channels;
        const i64 cell = cell_index[row];
        const bool inside = cell >= 0 && cell < cells;
        out[i] = inside ? maps[((row / objects) * channels + channel) * cells + cell] : from_real<scalar_t>(0);
    }
}

// out (B, C, H * W), zeroed before, at the cells (B, M) = the sum of grad (B, M, C) over the objects there. The first
// object of a cell adds up all of them in their order: no atomics, and the same sum in every run.
KERNEL void scatter_cells(const scalar_t* __restrict__ grad, const i64* __restrict__ cell_index,
                          scalar_t* __restrict__ out, i64 batch, i64 channels, i64 cells, i64 objects) {
    FOR_EACH(i, batch * objects * channels) {
        const i64 row = i / channels, channel = i - row * channels, sample = row / objects;
        const i64 cell = cell_index[row];
        if (cell < 0 || cell >= cells) continue;
        bool is_first = true;
        for (i64 other = sample * objects; other < row && is_first; ++other) is_first = cell_index[other] != cell;
        if (!is_first) continue;
        real_t sum = 0;
        for (i64 other = row; other < (sample + 1) * objects; ++other)
            if (cell_index[other] == cell) sum += to_real(grad[other * channels + channel]);
        out[(sample * channels + channel) * cells + cell] = from_real<scalar_t>(sum);
    }
}
