// Llama (arXiv:2302.13971, grouped queries 2307.09288; Llama 3: 2407.21783) and those that converters
// write as it: Mistral, SmolLM2, Yi and many more. Converters order the rows of q and k so that
// rotary turns adjacent channels.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

Result<void> ReadLlama(const gguf::GgufFile& file, ModelConfig* c) {
  c->rope_pairs = true;
  return ReadCommonKeys(file, c);
}

}  // namespace

ValueId LlamaLayer(const ModelConfig& c, ValueId x, HeadNorms norms, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, norms, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, down);
}

void BuildLlama(const ModelConfig& c, ModelBuilder* b) {
  const auto layer = [](const ModelConfig& config, ValueId x, ModelBuilder* builder) {
    return LlamaLayer(config, x, HeadNorms::kNone, builder);
  };
  BuildModel(c, layer, b);
}

const Architecture kLlama = {.name = "llama", .models = "", .read = ReadLlama, .build = BuildLlama};

}  // namespace headway::model
