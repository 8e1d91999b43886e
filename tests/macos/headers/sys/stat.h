#pragma once

// macOS: other names of a file's times.
#include_next <sys/stat.h>

#undef st_atime
#undef st_mtime
#undef st_ctime
#define st_atimespec st_atim
#define st_mtimespec st_mtim
#define st_ctimespec st_ctim
#define st_atime st_atimespec.tv_sec
#define st_mtime st_mtimespec.tv_sec
#define st_ctime st_ctimespec.tv_sec
