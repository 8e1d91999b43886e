#pragma once

// What a caller asks of a sequence, in the engine's terms. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "headway/engine.h"
#include "headway/headway.h"

namespace headway::c_api {

// A sequence as the engine's request, without its cancel flag and its number of tokens.
struct SequenceRequest {
  GenerateOptions options;
  int64_t capacity_tokens = 0;
  const headway_grammar* compiled_or_null = nullptr;
};

Result<KvType> KvOf(int32_t kv);
Result<JsonWhitespace> WhitespaceOf(int32_t white_space);
// Null is none. Errors: kInvalidInput (null and a count, a null or empty text).
Result<std::vector<std::string>> ReadStops(const char* const* stops, size_t num_stops);
// Null: the defaults. Errors: kInvalidInput, kUnsupported.
Result<SequenceRequest> ReadSequenceOptions(const headway_sequence_options* options_or_null);

}  // namespace headway::c_api
