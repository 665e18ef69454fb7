// What most detectors run on a GPU, restated: rotated IoU by crossings, corners, sorting and a fan, a thread for each
// pair; suppression by a mask of bits; points in boxes, a thread for each point. float32, margin of 1 cm, as they have it.

static const float MARGIN = 1e-2f, PARALLEL = 1e-8f;

struct Corner { float x, y; };

__device__ void corners_of(const float* box, Corner* out) {
    const float c = cosf(box[6]), s = sinf(box[6]);
    for (int k = 0; k < 4; ++k) {
        const float p = box[3] * (k == 0 || k == 3 ? 0.5f : -0.5f), q = box[4] * (k < 2 ? 0.5f : -0.5f);
        out[k].x = box[0] + p * c - q * s;
        out[k].y = box[1] + p * s + q * c;
    }
}

__device__ bool holds(const float* box, Corner point) {
    const float c = cosf(box[6]), s = sinf(box[6]), dx = point.x - box[0], dy = point.y - box[1];
    return fabsf(dx * c + dy * s) < box[3] / 2 + MARGIN && fabsf(dy * c - dx * s) < box[4] / 2 + MARGIN;
}

__device__ float area_of_both(const float* a, const float* b) {
    Corner ca[4], cb[4], points[24];
    float angles[24];
    int n = 0;
    corners_of(a, ca);
    corners_of(b, cb);
    for (int i = 0; i < 4; ++i) {
        const float ux = ca[(i + 1) % 4].x - ca[i].x, uy = ca[(i + 1) % 4].y - ca[i].y;
        for (int j = 0; j < 4; ++j) {
            const float vx = cb[(j + 1) % 4].x - cb[j].x, vy = cb[(j + 1) % 4].y - cb[j].y;
            const float cross = ux * vy - uy * vx;
            if (fabsf(cross) < PARALLEL) continue;
            const float wx = cb[j].x - ca[i].x, wy = cb[j].y - ca[i].y;
            const float t = (wx * vy - wy * vx) / cross, u = (wx * uy - wy * ux) / cross;
            if (t < 0 || t > 1 || u < 0 || u > 1) continue;
            points[n].x = ca[i].x + t * ux;
            points[n++].y = ca[i].y + t * uy;
        }
    }
    for (int k = 0; k < 4; ++k) {
        if (holds(b, ca[k])) points[n++] = ca[k];
        if (holds(a, cb[k])) points[n++] = cb[k];
    }
    if (n < 3) return 0;
    float mx = 0, my = 0;
    for (int k = 0; k < n; ++k) mx += points[k].x / n, my += points[k].y / n;
    for (int k = 0; k < n; ++k) {
        const Corner point = points[k];
        const float angle = atan2f(point.y - my, point.x - mx);
        int at = k - 1;
        for (; at >= 0 && angles[at] > angle; --at) points[at + 1] = points[at], angles[at + 1] = angles[at];
        points[at + 1] = point, angles[at + 1] = angle;
    }
    float area = 0;
    for (int k = 1; k + 1 < n; ++k)
        area += (points[k].x - points[0].x) * (points[k + 1].y - points[0].y) -
                (points[k + 1].x - points[0].x) * (points[k].y - points[0].y);
    return fabsf(area) / 2;
}

__device__ float iou_of(const float* a, const float* b) {
    const float both = area_of_both(a, b);
    return both / fmaxf(a[3] * a[4] + b[3] * b[4] - both, 1e-8f);
}

extern "C" __global__ void usual_matrix(const float* a, const float* b, float* out, int n, int m) {
    const int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
    if (i < n && j < m) out[(long long)i * m + j] = iou_of(a + 7 * i, b + 7 * j);
}

extern "C" __global__ void usual_aligned(const float* a, const float* b, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = iou_of(a + 7 * i, b + 7 * i);
}

// mask (n, words) of 64 bits: bit k of word w in row i says that box i removes box 64 w + k, which stands after it
extern "C" __global__ void usual_mask(const float* boxes, unsigned long long* mask, int n, int words, double threshold) {
    const int w = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
    if (i >= n || w >= words) return;
    unsigned long long bits = 0;
    for (int k = 0; k < 64; ++k) {
        const int j = 64 * w + k;
        if (j > i && j < n && iou_of(boxes + 7 * i, boxes + 7 * j) > (float)threshold) bits |= 1ull << k;
    }
    mask[(long long)i * words + w] = bits;
}

extern "C" __global__ void usual_points(const float* points, const float* boxes, int* owner, int n, int m, int columns) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float* point = points + (long long)columns * i;
    int found = -1;
    for (int j = 0; j < m && found < 0; ++j) {
        const float* box = boxes + 7 * j;
        if (fabsf(point[2] - box[2]) > box[5] / 2) continue;
        const float c = cosf(box[6]), s = sinf(box[6]), dx = point[0] - box[0], dy = point[1] - box[1];
        if (fabsf(dx * c + dy * s) < box[3] / 2 && fabsf(dy * c - dx * s) < box[4] / 2) found = j;
    }
    owner[i] = found;
}
