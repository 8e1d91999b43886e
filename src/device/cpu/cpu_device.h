#pragma once

// The cpu device: loads shard files and runs them on a team of threads with the kernels of this
// processor.

#include "device/device.h"

namespace headway::cpu {

extern const Device kDevice;

}  // namespace headway::cpu
