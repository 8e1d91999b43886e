// Closes the region that target_avx2_begin.h or target_avx512_begin.h opened.
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
