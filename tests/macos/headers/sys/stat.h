#pragma once

// macOS: other names of a file's times.
#include_next <sys/stat.h>

#undef st_atime
#undef st_mtime
#undef st_ctime
#define st_atimespec st_atim
#define st_mtimespec st_mtim
#define st_ctimespec st_ctim
