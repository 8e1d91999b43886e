#pragma once

// Writes shard files for the cpu device: matrices repacked into tiles, everything else as GGUF has
// it.

#include <memory>

#include "device/device.h"

namespace headway::cpu {

std::unique_ptr<Emitter> MakeEmitter();

}  // namespace headway::cpu
