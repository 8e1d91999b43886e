// Opens a region whose functions may use the 8-bit matrix products of Armv8.6 (and what every
// processor with those has); see avx512/region_begin.h. Close with region_end.h.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#endif
