#pragma once

// macOS has none of these.
#include_next <fcntl.h>

#undef O_DIRECT
#undef O_PATH
#undef O_TMPFILE
#define posix_fadvise not_on_macos_posix_fadvise_
#define posix_fallocate not_on_macos_posix_fallocate_
