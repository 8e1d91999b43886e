#pragma once

// The rotary embedding of a GGUF. Inside this folder only.

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "manifest/model_config.h"

namespace headway::model {

// Reads width, base, scaling (linear, YaRN, LongRoPE, Llama 3's factors) and the factor on cos and
// sin. Needs head_dim and context. Errors: kUnsupported (another kind of scaling), kInvalidInput.
Result<void> ReadRotary(const gguf::GgufFile& file, ModelConfig* config);

// The tensors that ReadRotary() reads where they are.
inline constexpr std::string_view kRotaryTensors[] = {
    "rope_factors_short.weight", "rope_factors_long.weight", "rope_freqs.weight"};

}  // namespace headway::model
