#pragma once

// The models as plainly as they can be written: double precision, textbook loops, one matrix product
// at a time over the whole sequence. It shares no code with graph, model and
// kernels (only the GGUF reader and the row decoder), so that an error there cannot hide here. Used
// by the parity tests, by `eval agreement` and by the golden gate; never in the way of a token that
// a user waits for.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "truth/straightline/config.h"
#include "truth/straightline/weights.h"

namespace headway::straightline {

class StraightLine {
 public:
  // `file` must outlive the result. Errors: kUnsupported, kNotFound, kInvalidInput, naming the key
  // or tensor.
  static Result<StraightLine> Open(const gguf::GgufFile& file);

  const Config& GetConfig() const { return config_; }

  // The hidden states after the final norm (and the logits' scale), which the head multiplies: [T, D], for the T tokens
  // `ids` at positions from 0. T alone decides between short and long rotary factors. Errors:
  // kInvalidInput (an id outside the vocabulary).
  Result<std::vector<double>> HiddenStates(std::span<const int32_t> ids) const;

  // The logits [n, V] of n rows of hidden states [n, D].
  std::vector<double> Head(const std::vector<double>& hidden) const;

  // on_position(position, logits [V]) for each of [first_position, T), ascending. The logits are
  // valid during the call. Errors: as HiddenStates.
  using OnPosition = std::function<void(int64_t position, std::span<const double> logits)>;
  Result<void> Forward(std::span<const int32_t> ids, int64_t first_position,
                       const OnPosition& on_position) const;
  Result<void> Forward(std::span<const int32_t> ids, const OnPosition& on_position) const {
    return Forward(ids, 0, on_position);
  }

 private:
  StraightLine(Config config, Weights weights)
      : config_(std::move(config)), weights_(std::move(weights)) {}

  Config config_;
  Weights weights_;
};

}  // namespace headway::straightline
