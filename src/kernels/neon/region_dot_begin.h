// Opens a region whose functions may use the 8-bit dot products of Armv8.2; see
// avx512/region_begin.h. Close with region_end.h.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
