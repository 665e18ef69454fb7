// Greedy suppression, a chunk of ranks after the other: those that a box kept before removes fall out; the pairs of
// the rest become a matrix of bits; one block goes through it. Nothing waits for the host, and memory is that of one
// chunk's matrix, 2 MB, however many boxes there are.
#include "nms.cuh"

#define MOST_WORDS 64  // of 64 ranks each in a chunk

// rows (7, N) and ranked_groups (N), by rank; groups may be null
KERNEL void rank_boxes(const scalar_t* __restrict__ boxes, const i64* __restrict__ order,
                       const unsigned char* __restrict__ absent, const i64* __restrict__ groups,
                       double* __restrict__ rows, i64* __restrict__ ranked_groups, i64 count, i64 columns, i64 kind) {
    FOR_EACH(rank, count) {
        const i64 i = order[rank];
        double row[7];
        for (int k = 0; k < 7; ++k) row[k] = (double)to_real(boxes[i * columns + k]);
        const Rectangle<double> box = make_box(row[0], row[1], row[2], row[3], row[4], row[5], row[6]);
        const bool is_place = abs_of(row[0]) <= Limits<double>::largest && abs_of(row[1]) <= Limits<double>::largest;
        const bool is_box = kind == NMS_CIRCLE ? is_place : box.is_box && box.length > 0 && box.width > 0;
        const double half_length = 0.5 * box.length, half_width = 0.5 * box.width;
        // one part in 1e9 more: a pair that the circles part is then surely apart
        const double radius = sqrt(half_length * half_length + half_width * half_width) * (1 + 1e-9);
        double s, c;
        turn_of(box.yaw, s, c);
        rows[NMS_X * count + rank] = row[0];
        rows[NMS_Y * count + rank] = row[1];
        rows[NMS_RADIUS * count + rank] = absent[i] ? NMS_ABSENT : !is_box ? NMS_ALONE : radius;
        rows[NMS_HALF_LENGTH * count + rank] = half_length;
        rows[NMS_HALF_WIDTH * count + rank] = half_width;
        rows[NMS_COS * count + rank] = c;
        rows[NMS_SIN * count + rank] = s;
        ranked_groups[rank] = groups ? groups[i] : 0;
    }
}

// gone (stop - start), zeroed before, of the ranks from start on: 1 where one of the boxes kept so far suppresses
KERNEL void meet_kept(const double* __restrict__ rows, const i64* __restrict__ groups,
                      const i64* __restrict__ kept_ranks, const i64* __restrict__ kept_count,
                      unsigned char* __restrict__ gone, i64 start, i64 stop, i64 count, i64 kind, double threshold) {
    const i64 size = stop - start, kept = *kept_count;
    const double share = share_of(threshold);
    FOR_EACH(item, size * ((start + 63) / 64)) {
        const i64 tile = item / size, row = item - tile * size;
        if (tile * 64 >= kept || gone[row]) continue;
        const RankedBox box = ranked_box(rows, groups, start + row, count);
        if (box.radius < 0) continue;
        for (i64 k = tile * 64; k < min_of(tile * 64 + 64, kept); ++k) {
            if (!suppresses(ranked_box(rows, groups, kept_ranks[k], count), box, threshold, share, kind)) continue;
            gone[row] = 1;  // the same from every thread that finds one
            break;
        }
    }
}

// mask (stop - start, words): bit b of word w of row r where rank start + r suppresses the later start + 64 w + b;
// words before a row's own are left as they are
KERNEL void meet_each_other(const double* __restrict__ rows, const i64* __restrict__ groups,
                            const unsigned char* __restrict__ gone, u64* __restrict__ mask, i64 start, i64 stop,
                            i64 count, i64 kind, double threshold) {
    const i64 size = stop - start, words = (size + 63) / 64;
    const double share = share_of(threshold);
    FOR_EACH(item, size * words) {
        const i64 word = item / size, row = item - word * size;
        if (word < row / 64) continue;
        u64 bits = 0;
        if (!gone[row]) {
            const RankedBox box = ranked_box(rows, groups, start + row, count);
            for (i64 other = max_of(row + 1, word * 64); other < min_of(word * 64 + 64, size); ++other)
                if (suppresses(box, ranked_box(rows, groups, start + other, count), threshold, share, kind))
                    bits |= 1ull << (other - word * 64);
        }
        mask[row * words + word] = bits;
    }
}

// One block. Marks the boxes of the chunk that stay in keep (N), in the order of the boxes, and appends them to
// kept_ranks and kept, whose number is kept_count.
KERNEL void sweep(const u64* __restrict__ mask, const unsigned char* __restrict__ gone,
                  const double* __restrict__ rows, const i64* __restrict__ order, i64* __restrict__ kept_ranks,
                  i64* __restrict__ kept, i64* __restrict__ kept_count, unsigned char* __restrict__ keep, i64 start,
                  i64 stop, i64 count) {
    SHARED u64 removed[MOST_WORDS], own_word[64], chosen;
    SHARED i64 places[64], total;
    const i64 size = stop - start, words = (size + 63) / 64, thread = threadIdx.x, threads = blockDim.x;
    for (i64 word = thread; word < words; word += threads) removed[word] = 0;
    if (thread == 0) total = *kept_count;
    SYNC();
    for (i64 row = thread; row < words * 64; row += threads) {
        const bool out = row >= size || gone[row] || rows[NMS_RADIUS * count + start + row] == NMS_ABSENT;
        if (out) atomic_or(&removed[row / 64], 1ull << (row % 64));
    }
    SYNC();
    for (i64 word = 0; word < words; ++word) {
        for (i64 b = thread; b < 64; b += threads)
            own_word[b] = word * 64 + b < size ? mask[(word * 64 + b) * words + word] : 0;
        SYNC();
        if (thread == 0) {
            u64 out = removed[word], in = 0;
            for (int b = 0; b < 64; ++b) {
                if ((out >> b) & 1) continue;
                out |= own_word[b];
                in |= 1ull << b;
                places[b] = total++;
            }
            chosen = in;
        }
        SYNC();
        for (i64 b = thread; b < 64; b += threads) {
            if (!((chosen >> b) & 1)) continue;
            const i64 rank = start + word * 64 + b;
            kept_ranks[places[b]] = rank;
            kept[places[b]] = order[rank];
            keep[order[rank]] = 1;
        }
        for (i64 item = thread; item < 64 * words; item += threads) {
            const i64 b = item / words, later = item - b * words;
            if (later <= word || !((chosen >> b) & 1)) continue;
            const u64 bits = mask[(word * 64 + b) * words + later];
            if (bits) atomic_or(&removed[later], bits);
        }
        // no barrier here: what this loop reads is next written after the next one
    }
    if (thread == 0) *kept_count = total;
}

// owners (N), in the order of the boxes: the first kept box that suppresses each, itself where it is kept, -1 where
// it takes no part
KERNEL void find_owners(const double* __restrict__ rows, const i64* __restrict__ groups,
                        const i64* __restrict__ order, const i64* __restrict__ kept_ranks,
                        const i64* __restrict__ kept_count, const unsigned char* __restrict__ keep,
                        i64* __restrict__ owners, i64 count, i64 kind, double threshold) {
    const double share = share_of(threshold);
    FOR_EACH(rank, count) {
        const RankedBox box = ranked_box(rows, groups, rank, count);
        i64 owner = keep[order[rank]] ? order[rank] : -1;
        if (owner < 0 && box.radius != NMS_ABSENT) {
            for (i64 k = 0; k < *kept_count && kept_ranks[k] < rank && owner < 0; ++k)
                if (suppresses(ranked_box(rows, groups, kept_ranks[k], count), box, threshold, share, kind))
                    owner = order[kept_ranks[k]];
        }
        owners[order[rank]] = owner;
    }
}
