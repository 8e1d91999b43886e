// Qwen 3 (arXiv:2505.09388): as Llama, but each head of q and k is normalised before rotary, which
// turns halves, and head_dim is a key of its own.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

ValueId Qwen3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kQueriesAndKeys, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, down);
}

void BuildQwen3(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Qwen3Layer, b); }

}  // namespace

const Architecture kQwen3 = {
    .name = "qwen3", .models = "", .read = ReadCommonKeys, .build = BuildQwen3};

}  // namespace headway::model
