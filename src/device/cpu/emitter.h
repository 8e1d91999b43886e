#pragma once

// Writes shard files for the cpu device: matrices repacked into tiles, everything else as GGUF has
// it.

#include <memory>

#include "device/emitter.h"

namespace headway::cpu {

// Errors: kInvalidInput (any options).
Result<std::unique_ptr<Emitter>> MakeEmitter(const DeviceOptions& options);

}  // namespace headway::cpu
