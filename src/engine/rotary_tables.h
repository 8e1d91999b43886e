#pragma once

// cos and sin of the rotary embedding for a range of positions, as the layers of a step use them.
// Computed in double precision and rounded once. Source: RoPE (Su et al. 2021), LongRoPE (Ding et
// al. 2024) with the attention factor on cos and sin.

#include <cstdint>
#include <vector>

#include "manifest/model_config.h"

namespace headway {

// True when a sequence of `length` tokens uses the long factors. By the sequence's length, whatever
// the capacity.
bool UsesLongFactors(const ModelConfig& config, int64_t length);

// Table 0 is the model's, table 1 that of layers with a base of their own (NumRotaryTables()).
class RotaryTables {
 public:
  RotaryTables(const ModelConfig& config, int64_t max_tokens);

  // Fills every table's rows from `row` on for positions [first, first + num_tokens). Does not
  // allocate.
  void Fill(int64_t first, int64_t num_tokens, bool long_factors, int64_t row = 0);

  // Tables of [max_tokens, rotary_dim / 2], TableStride() floats from one to the next.
  const float* Cos() const { return cos_.data(); }
  const float* Sin() const { return sin_.data(); }
  int64_t TableStride() const { return table_stride_; }

 private:
  struct Table {
    std::vector<double> short_frequencies;  // radians a position, [num_pairs]
    std::vector<double> long_frequencies;
    double attention_factor;
  };
  void FillTable(const std::vector<double>& frequencies, double attention_factor, int64_t first,
                 int64_t num_tokens, size_t begin);

  int64_t num_pairs_;
  int64_t table_stride_;
  std::vector<Table> tables_;
  std::vector<float> cos_;
  std::vector<float> sin_;
};

}  // namespace headway
