#pragma once

// macOS: what Linux has besides is not there, and MADV_FREE has a meaning of its own.
#include_next <sys/mman.h>

#undef MADV_HUGEPAGE
#undef MADV_NOHUGEPAGE
#undef MADV_DONTDUMP
#undef MADV_POPULATE_READ
#undef MAP_POPULATE
#undef MAP_HUGETLB
#undef MADV_FREE
#define MADV_FREE 5
