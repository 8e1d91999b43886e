#pragma once

// A variant opened for measuring. Inside this folder only.

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "lab/results.h"
#include "lab/spec.h"

namespace headway::lab {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Decodes spec.tokens tokens from the same context as every time, and returns figures a token.
  virtual Result<Sample> Round() = 0;
};

// Opens the variant's package. With batch_tokens = 1 a session decodes greedily; with more, layers
// and head see that many tokens of a fixed text a step, as when they verify a guess. Errors: those
// of opening; kInvalidInput (a context longer than the model's); kUnsupported (a head that takes
// one hidden state only).
Result<std::unique_ptr<Decoder>> OpenDecoder(const Spec& spec, const VariantSpec& variant,
                                             const std::string& package);

}  // namespace headway::lab
