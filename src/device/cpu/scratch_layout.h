#pragma once

// Where the buffers of a step lie in its scratch. Inside this folder only.

#include <cstdint>
#include <vector>

#include "device/cpu/plan.h"

namespace headway::cpu {

// A scratch buffer with the phases in which it is alive.
struct Buffer {
  int64_t size_bytes = 0;
  int first_phase = 0;
  int last_phase = 0;
  int64_t offset_bytes = -1;
};

// Gives each buffer the lowest offset that no buffer alive at the same time covers, and turns the
// numbers of buffers that stand in the plan's scratch places into those offsets. Returns the bytes
// of all.
int64_t PlaceBuffers(std::vector<Buffer>* buffers, Plan* plan);

}  // namespace headway::cpu
