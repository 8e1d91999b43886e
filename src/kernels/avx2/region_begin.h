// Opens a region whose functions may use AVX2, FMA and F16C; see avx512/region_begin.h.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("avx2,fma,f16c")
#endif
