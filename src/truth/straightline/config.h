#pragma once

// Hyper-parameters of the straight-line model, read from GGUF keys by its own code: sharing
// model/'s reader would let one misreading pass every comparison. Inside this folder only.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace headway::straightline {

struct Config {
  std::string architecture;  // general.architecture
  int64_t context = 0;       // positions the model was made for
  int64_t dim = 0;           // D
  int64_t num_layers = 0;    // L
  int64_t num_heads = 0;     // H
  int64_t num_kv_heads = 0;  // Hk
  int64_t head_dim = 0;      // d
  int64_t hidden_dim = 0;    // F
  int64_t vocab_size = 0;    // V
  double norm_epsilon = 0;
  int64_t sliding_window = 0;  // positions a token sees, itself included; 0: all
  int64_t rotary_dim = 0;      // channels of a head that are rotated
  bool rotary_pairs = false;   // channels (2i, 2i + 1) turn together; else (i, i + rotary_dim / 2)
  double rotary_base = 0;
  double position_divisor = 1;        // linear scaling
  int64_t original_context = 0;       // longer sequences use the long factors; 0: there are none
  double attention_factor = 1;        // on cos and sin
  std::vector<double> short_factors;  // [rotary_dim / 2] divisors of the frequencies; empty: all 1
  std::vector<double> long_factors;

  // What one layer differs in from another; one element a layer.
  std::vector<bool> sees_all;   // no window
  std::vector<bool> unrotated;  // no rotary embedding
  double local_base = 0;        // of the layers with the window; 0: as the others
  double attention_scale = 0;   // on q k
  double embedding_factor = 1;  // on the embedding
  double residual_factor = 1;   // on what a layer adds
  double logit_divisor = 1;
  double score_cap = 0;  // a score s becomes cap tanh(s / cap), once scaled; 0: it stays
  double logit_cap = 0;  // the same of a logit

  // The divisors for a sequence of `num_tokens`.
  std::span<const double> Factors(int64_t num_tokens) const {
    return original_context > 0 && num_tokens > original_context ? long_factors : short_factors;
  }
};

// Errors: kUnsupported (architecture, kind of scaling), kNotFound, kInvalidInput (sizes that
// contradict each other).
Result<Config> ReadConfig(const gguf::GgufFile& file);

}  // namespace headway::straightline
