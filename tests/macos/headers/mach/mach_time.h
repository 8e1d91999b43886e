#pragma once

// What protobuf names of it, written by us.
#include <stdint.h>

extern "C" uint64_t mach_absolute_time(void);
