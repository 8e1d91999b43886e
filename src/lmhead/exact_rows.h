#pragma once

// The full head's own arithmetic for single rows, and what a search knows exactly of a row.

#include <cstdint>

namespace headway::lmhead {

// Rows come in strips: what is computed together.
class ExactRows {
 public:
  virtual ~ExactRows() = default;
  // The strip that holds `row`, and how many bytes of weights one strip reads.
  virtual int64_t StripOf(int64_t row) const = 0;
  virtual int64_t StripBytes() const = 0;
  // Of one run of the full head.
  virtual int64_t FullBytes() const = 0;
  // Writes logits[row] of the rows of a strip, bit for bit the full head's, for state `state` of
  // the batch; may write those of neighbours. Called by several threads at once, on different
  // strips and the same logits.
  virtual void Compute(int64_t strip, int64_t state, float* logits) noexcept = 0;
};

struct Candidate {
  int32_t id = 0;
  float logit = 0.0F;
};

}  // namespace headway::lmhead
