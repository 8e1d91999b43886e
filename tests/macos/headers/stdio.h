#pragma once

// macOS: names that change places, or are given where nothing has them.
#include_next <stdio.h>

#define RENAME_SWAP 0x00000002
#define RENAME_EXCL 0x00000004
#ifdef __cplusplus
extern "C" {
#endif
int renamex_np(const char*, const char*, unsigned int);
#ifdef __cplusplus
}
#endif
