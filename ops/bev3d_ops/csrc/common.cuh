// What every kernel needs, on the device (NVRTC, nvcc) and on the host (any C++17 compiler).
//
// Kernels are `KERNEL void name(const scalar_t* in, ..., long long count, double parameter)`: extern "C", pointers,
// long long and double only, and correct for every launch shape. On the host one thread runs the same kernel to the
// end, so that tests without a GPU reach the arithmetic, the indices and the order of the arguments.
//
// SCALAR is set by whoever compiles: float, double, half_t or bfloat_t.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define ON_DEVICE 1
#define HD __host__ __device__ __forceinline__
#define KERNEL extern "C" __global__
#define SHARED __shared__
#define SYNC() __syncthreads()
#else
#define ON_DEVICE 0
#include <cmath>
#include <cstring>
#define HD inline
#define KERNEL extern "C"
#define SHARED static thread_local
#define SYNC() ((void)0)
#define __restrict__ __restrict
#define __launch_bounds__(...)
// one block of one thread
struct OneThread { unsigned x, y, z; };
static constexpr OneThread threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};
using std::fabs; using std::sqrt; using std::floor; using std::exp; using std::log; using std::log1p;
using std::sin; using std::cos; using std::atan; using std::atan2; using std::pow; using std::fmin; using std::fmax;
#endif

typedef long long i64;
typedef unsigned long long u64;
static_assert(sizeof(i64) == 8, "indices are 64 bit");

// for (i64 i = ...) over all of count, whatever the launch shape
#define FOR_EACH(i, count)                                                                  \
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (i64)(count); i += (i64)gridDim.x * blockDim.x)

template <typename T> HD T min_of(T a, T b) { return a < b ? a : b; }
template <typename T> HD T max_of(T a, T b) { return a > b ? a : b; }
template <typename T> HD T clamp_to(T value, T low, T high) { return min_of(max_of(value, low), high); }
template <typename T> HD T abs_of(T value) { return value < T(0) ? -value : value; }

template <typename T> HD bool is_finite(T value) { return value - value == T(0); }

HD void sin_cos(float angle, float& s, float& c) {
#if ON_DEVICE
    sincosf(angle, &s, &c);
#else
    s = std::sin(angle), c = std::cos(angle);
#endif
}
HD void sin_cos(double angle, double& s, double& c) {
#if ON_DEVICE
    sincos(angle, &s, &c);
#else
    s = std::sin(angle), c = std::cos(angle);
#endif
}

HD unsigned bits_of(float value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return __float_as_uint(value);
#else
    unsigned bits;
    memcpy(&bits, &value, 4);
    return bits;
#endif
}
HD float float_of(unsigned bits) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float value;
    memcpy(&value, &bits, 4);
    return value;
#endif
}

// Half precision without CUDA's headers, which a machine with only a driver does not have. Stored as bits,
// computed with as float: to_real(x) on the way in, from_real<T>(y), rounded to nearest even, on the way out.
struct half_t { unsigned short bits; };
struct bfloat_t { unsigned short bits; };

HD double to_real(double value) { return value; }
HD float to_real(float value) { return value; }
HD float to_real(bfloat_t value) { return float_of((unsigned)value.bits << 16); }
HD float to_real(half_t value) {
    const unsigned sign = (value.bits & 0x8000u) << 16, magnitude = value.bits & 0x7fffu;
    // 2^-112 moves the exponent's bias from 15 to 127 and makes subnormal halves exact too
    const float scaled = float_of(magnitude << 13) * float_of(0x77800000u);
    const unsigned special = magnitude >= 0x7c00u ? 0x7f800000u | (magnitude << 13) : bits_of(scaled);
    return float_of(special | sign);
}

template <typename T> struct Real { typedef float type; };
template <> struct Real<double> { typedef double type; };

template <typename T> struct FromReal { HD static T of(typename Real<T>::type value) { return T(value); } };
template <> struct FromReal<bfloat_t> {
    HD static bfloat_t of(float value) {
        const unsigned bits = bits_of(value);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return bfloat_t{(unsigned short)((bits >> 16) | 0x40u)};  // NaN
        return bfloat_t{(unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
    }
};
template <> struct FromReal<half_t> {
    HD static half_t of(float value) {
        const unsigned bits = bits_of(value), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
        if (magnitude > 0x7f800000u) return half_t{(unsigned short)(sign | 0x7e00u)};        // NaN
        if (magnitude >= 0x477ff000u) return half_t{(unsigned short)(sign | 0x7c00u)};       // rounds to infinity
        if (magnitude < 0x38800000u) {  // subnormal: an addition rounds at the right bit
            const float shifted = float_of(magnitude) + 0.5f;
            return half_t{(unsigned short)(sign | (bits_of(shifted) - 0x3f000000u))};
        }
        const unsigned rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
        return half_t{(unsigned short)(sign | (rounded >> 13))};
    }
};
template <typename T> HD T from_real(typename Real<T>::type value) { return FromReal<T>::of(value); }

// Atomics; on the host one thread runs, so that they are plain.
template <typename T> HD T atomic_add(T* address, T value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return atomicAdd(address, value);
#else
    const T before = *address;
    *address = before + value;
    return before;
#endif
}
HD unsigned atomic_max(unsigned* address, unsigned value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return atomicMax(address, value);
#else
    const unsigned before = *address;
    *address = max_of(before, value);
    return before;
#endif
}
HD u64 atomic_max(u64* address, u64 value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return atomicMax(address, value);
#else
    const u64 before = *address;
    *address = max_of(before, value);
    return before;
#endif
}
HD u64 atomic_or(u64* address, u64 value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return atomicOr(address, value);
#else
    const u64 before = *address;
    *address = before | value;
    return before;
#endif
}
HD u64 atomic_cas(u64* address, u64 expected, u64 value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return atomicCAS(address, expected, value);
#else
    const u64 before = *address;
    if (before == expected) *address = value;
    return before;
#endif
}

#ifdef SCALAR
typedef SCALAR scalar_t;
typedef Real<SCALAR>::type real_t;
#endif
