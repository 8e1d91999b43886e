#pragma once

// The keys of a GGUF that architectures have in common. Inside this folder only.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "manifest/model_config.h"

namespace headway::model {

// Reads sizes, rotary embedding, window and vocabulary under the keys of config->architecture,
// checked against each other. Errors: kNotFound (missing key or tensor), kUnsupported (a kind of
// rotary scaling), kInvalidInput (values that contradict each other).
Result<void> ReadCommonKeys(const gguf::GgufFile& file, ModelConfig* config);

// `otherwise` where there is no such key or it is 0, as llama.cpp reads scales and factors. Errors:
// kInvalidInput (negative or not finite, another type).
Result<float> PositiveOr(const gguf::GgufFile& file, const std::string& key, float otherwise);

// A soft cap: `otherwise` where there is no such key; 0 says none. Errors: kInvalidInput (negative
// or not finite, another type).
Result<float> SoftCapOr(const gguf::GgufFile& file, const std::string& key, float otherwise);

// The common keys of Gemma 2 and 3, and what their files do not name: the embedding's factor, and the
// scale of scores, which is 1 / sqrt(head_dim), but of D / H in the largest of each (27B, that many
// layers). Errors: as ReadCommonKeys().
Result<void> ReadGemmaKeys(const gguf::GgufFile& file, int64_t layers_of_largest,
                           ModelConfig* config);

// The layers without a window where others have it: by "attention.sliding_window_pattern", which is
// a bool for each layer (true: a window) or their interval; `interval`: where the file has no such
// key. Interval n: layers n - 1, 2 n - 1...; 0: none. Errors: kInvalidInput.
Result<std::vector<int64_t>> GlobalLayers(const gguf::GgufFile& file, const ModelConfig& config,
                                          uint32_t interval);

tl::unexpected<Error> BadConfig(const gguf::GgufFile& file, const std::string& message);

}  // namespace headway::model
