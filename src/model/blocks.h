#pragma once

// What the layers of most architectures have in common.
// Inside this folder only.

#include "manifest/model_config.h"
#include "model/model_builder.h"

namespace headway::model {

// Whether each head of q and k is normalised before rotary.
enum class HeadNorms : uint8_t { kNone, kQueriesAndKeys };

// Between norm and residual sum: projections of n [T, D] by one matrix or three, rotary, attention and the output product: [T, D].
ValueId SelfAttention(const ModelConfig& config, ValueId n, HeadNorms norms, ModelBuilder* builder);

// down(activation(gate n) * up n), n [T, D]: [T, D].
ValueId FeedForward(const ModelConfig& config, ValueId n, Activation activation,
                    ModelBuilder* builder);

// From token ids to logits: the embedding, scaled in layer 0, layer(config, x, builder) for each
// layer, and the head.
template <class Layer>
void BuildModel(const ModelConfig& config, const Layer& layer, ModelBuilder* builder) {
  ValueId x = builder->Embedding();
  for (int64_t l = 0; l < config.num_hidden_layers; ++l) {
    builder->BeginLayer(l);
    if (l == 0) x = builder->Scale("embedding_scale", x, config.embedding_scale);
    x = layer(config, x, builder);
  }
  builder->Head(x);
}

// Of architectures/llama.cc, which others are made of. The layer: x1 = x + attention(norm x), x1 +
// feed-forward(norm x1), with SiLU; x [T, D].
ValueId LlamaLayer(const ModelConfig& config, ValueId x, HeadNorms norms, ModelBuilder* builder);
void BuildLlama(const ModelConfig& config, ModelBuilder* builder);

// Of architectures/gemma3.cc: x1 = x + norm(attention(norm x)), x1 + norm(feed-forward(norm x1)),
// with GELU; x [T, D].
ValueId GemmaLayer(const ModelConfig& config, ValueId x, HeadNorms norms, ModelBuilder* builder);

}  // namespace headway::model
