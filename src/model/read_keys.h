#pragma once

// The keys of a GGUF that architectures have in common. Inside this folder only.

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "manifest/model_config.h"

namespace headway::model {

// Reads sizes, rotary embedding, window and vocabulary under the keys of config->architecture,
// checked against each other. Errors: kNotFound (missing key or tensor), kUnsupported (a kind of
// rotary scaling), kInvalidInput (values that contradict each other).
Result<void> ReadCommonKeys(const gguf::GgufFile& file, ModelConfig* config);

}  // namespace headway::model
