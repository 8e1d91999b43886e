#pragma once

// Which storage type each tensor of a model file gets, following llama.cpp's quantiser
// (llama-quant.cpp), so that speeds and sizes compare with files found in the wild.

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/data_type.h"

namespace headway::synth {

enum class TensorRole { kEmbedding, kOutput, kAttentionQkv, kAttentionV, kFeedForwardDown, kOther };

struct TypeMix {
  std::string_view name;          // "q4_k_m", as on the command line
  DataType base;                  // of most matrices
  uint32_t file_type;             // general.file_type. Source: llama.h, llama_ftype
  bool wide_head;                 // embedding (when tied) and output in Q6_K
  bool more_bits_for_v_and_down;  // in some layers, Q6_K
};

std::span<const TypeMix> TypeMixes();
// Upper or lower case; "q4_k" means "q4_k_m". nullptr when there is none.
const TypeMix* FindTypeMix(std::string_view name);

struct TensorPlace {
  TensorRole role = TensorRole::kOther;
  bool serves_as_head = false;  // the output matrix, or an embedding tied to it
  uint32_t layer = 0;
  uint32_t num_layers = 1;
  int64_t columns = 0;
};

// The type of a matrix. `pure` gives every matrix the base type. Rows that are no whole number of
// blocks fall back as llama.cpp does: Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to Q8_0, anything else to
// F16.
DataType TypeFor(const TypeMix& mix, bool pure, const TensorPlace& place);

}  // namespace headway::synth
