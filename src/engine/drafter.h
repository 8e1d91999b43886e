#pragma once

// Who guesses the next tokens. Guesses may be anything: Session::DecodeWithDrafts() chooses the
// same tokens with good ones, bad ones and none.

#include <cstdint>
#include <span>

#include "base/result.h"

namespace headway {

struct Draft {
  std::span<const int32_t> tokens;  // valid until the drafter is called again
  int64_t ngram = 0;                // length of the n-gram that was found; 0: no lookup
};

class Drafter {
 public:
  virtual ~Drafter() = default;

  // At most `most` guesses at what follows `tokens`, the whole sequence so far; fewer or none when
  // there is nothing to go by. With 0 it only reads the sequence, as after a long prompt. Sequences
  // of successive calls usually continue each other; a drafter must cope with any. Errors: those of
  // running a draft model.
  virtual Result<Draft> Propose(std::span<const int32_t> tokens, int64_t most) = 0;

  // True when guessing costs next to nothing, so that guesses may be made just to see whether they
  // come true.
  virtual bool IsFree() const = 0;
};

}  // namespace headway
