#pragma once

// What token ids a sequence may hold, and how many.

#include <cstdint>
#include <span>

#include "base/result.h"

namespace headway {

struct TokenLimits {
  int64_t vocab_size = 0;
  int64_t capacity = 0;  // tokens of a sequence
  int64_t context = 0;   // the model's, at least the capacity; named in errors

  // Errors: kInvalidInput, naming the first id outside the vocabulary.
  Result<void> CheckIds(std::span<const int32_t> ids) const;
  // The same, and that they fit behind `length` tokens.
  Result<void> CheckAppend(int64_t length, std::span<const int32_t> ids) const;
  // That a sequence of `length` tokens can be decoded further: it has one, and room for one more.
  Result<void> CheckDecode(int64_t length) const;
};

}  // namespace headway
