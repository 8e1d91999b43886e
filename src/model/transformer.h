#pragma once

// The forward pass of the Phi-3 family (Phi-3-mini, Phi-4-mini) and of the Llama family. They
// differ in what a file stores as one matrix, and in the channels that rotary pairs
// (ModelConfig::rope_pairs). Inside this folder only.

#include "graph/builder.h"
#include "manifest/model_config.h"
#include "model/weights.h"

namespace headway::model {

// Which projections of one input are one matrix in the file, its rows one after the other.
enum class Projections : uint8_t {
  kFused,     // attn_qkv = [q; k; v], ffn_up = [gate; up] (Phi-3)
  kSeparate,  // attn_q, attn_k, attn_v, ffn_gate, ffn_up (Llama)
};

void BuildTransformer(const ModelConfig& config, Projections projections, Weights* weights,
                      graph::Builder* builder);

}  // namespace headway::model
