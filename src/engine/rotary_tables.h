#pragma once

// cos and sin of the rotary embedding for a range of positions, as every layer of a step uses them.
// Computed in double precision and rounded once. Source: RoPE (Su et al. 2021), LongRoPE (Ding et
// al. 2024) with the attention factor on cos and sin.

#include <cstdint>
#include <vector>

#include "manifest/model_config.h"

namespace headway {

// True when a sequence of `length` tokens uses the long factors. By the sequence's length, whatever
// the capacity.
bool UsesLongFactors(const ModelConfig& config, int64_t length);

class RotaryTables {
 public:
  RotaryTables(const ModelConfig& config, int64_t max_tokens);

  // Fills the tables' rows from `row` on for positions [first, first + num_tokens). Does not
  // allocate.
  void Fill(int64_t first, int64_t num_tokens, bool long_factors, int64_t row = 0);

  const float* Cos() const { return cos_.data(); }  // [max_tokens, rotary_dim / 2]
  const float* Sin() const { return sin_.data(); }

 private:
  int64_t num_pairs_;
  double attention_factor_;
  std::vector<double> short_frequencies_;  // radians a position, [num_pairs]
  std::vector<double> long_frequencies_;
  std::vector<float> cos_;
  std::vector<float> sin_;
};

// The tables of a text from its first position on, in short factors, as an oracle takes them: the
// rounded numbers, [num_tokens, rotary_dim / 2].
struct OracleAngles {
  OracleAngles(const ModelConfig& config, int64_t num_tokens);
  std::vector<double> cos;
  std::vector<double> sin;
};

}  // namespace headway
