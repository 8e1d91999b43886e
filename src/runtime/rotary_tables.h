#pragma once

// cos and sin of the rotary embedding for a range of positions, as every layer of a step uses them.
// Computed in double precision and rounded once. Source: RoPE (Su et al. 2021), LongRoPE (Ding et
// al. 2024) with the attention factor on cos and sin.

#include <cstdint>
#include <vector>

#include "manifest/model_config.h"

namespace headway {

class RotaryTables {
 public:
  RotaryTables(const ModelConfig& config, int64_t max_tokens);

  // True when a sequence of `length` tokens uses the long factors. By the sequence's length,
  // whatever the capacity.
  bool UsesLongFactors(int64_t length) const {
    return original_length_ > 0 && length > original_length_;
  }

  // Fills the tables for positions [first, first + num_tokens). Does not allocate.
  void Fill(int64_t first, int64_t num_tokens, bool long_factors);

  const float* Cos() const { return cos_.data(); }  // [num_tokens, rotary_dim / 2]
  const float* Sin() const { return sin_.data(); }

 private:
  int64_t num_pairs_;
  int64_t original_length_;
  double attention_factor_;
  std::vector<double> short_frequencies_;  // radians a position, [num_pairs]
  std::vector<double> long_frequencies_;
  std::vector<float> cos_;
  std::vector<float> sin_;
};

}  // namespace headway
