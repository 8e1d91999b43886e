#pragma once

// Which storage type each tensor of a model file gets, following llama.cpp's quantiser
// (llama-quant.cpp), so that speeds and sizes compare with files found in the wild.

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/data_type.h"

namespace headway::synth {

enum class TensorRole {
  kEmbedding,
  kOutput,
  kAttentionQkv,
  kAttentionV,
  kAttentionOutput,
  kFeedForwardDown,
  kOther,
};

// Which matrices get another type than most.
enum class MixRule {
  kUniform,   // none
  kMoreBits,  // attention's values and the way down in some layers: Q6_K
  kQ2K,       // of Q2_K
  kQ3KM,      // of Q3_K_M
  kIQ4,       // of IQ4_NL and IQ4_XS
  kMXFP4,     // embedding and head: Q8_0
};

struct TypeMix {
  std::string_view name;  // "q4_k_m", as on the command line
  DataType base;          // of most matrices
  uint32_t file_type;     // general.file_type. Source: llama.h, llama_ftype
  bool wide_head;         // embedding (when tied) and output in Q6_K
  MixRule rule;
};

std::span<const TypeMix> TypeMixes();
// Upper or lower case; "q4_k" means "q4_k_m". nullptr when there is none.
const TypeMix* FindTypeMix(std::string_view name);

struct TensorPlace {
  TensorRole role = TensorRole::kOther;
  bool serves_as_head = false;  // the output matrix, or an embedding tied to it
  uint32_t layer = 0;
  uint32_t num_layers = 1;
  uint32_t heads_per_kv_head = 1;
  int64_t columns = 0;
};

// The type of a matrix. `pure` gives every matrix the base type. Rows that are no whole number of
// blocks fall back as llama.cpp does: Q2_K and Q3_K to Q4_0, Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to
// Q8_0, IQ4_XS to IQ4_NL, anything else to F16.
DataType TypeFor(const TypeMix& mix, bool pure, const TensorPlace& place);

}  // namespace headway::synth
