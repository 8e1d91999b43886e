// Opens a region whose functions may use AVX-512 F, BW, VL, DQ and VNNI (and what every processor
// with those has). Include after all other headers and close with region_end.h: code from headers
// must not be compiled for these instructions, or the linker may keep that copy for everyone.
#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), \
    apply_to = function)
#else
#pragma GCC push_options
// g++ 12 takes the deliberate `__Y = __Y` of its own intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#endif
