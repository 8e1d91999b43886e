// Qwen 2 and 2.5 (arXiv:2407.10671, 2412.15115): as Llama, with biases on q, k and v (which the file
// brings) and rotary by halves.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

ValueId Qwen2Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kNone, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, down);
}

void BuildQwen2(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Qwen2Layer, b); }

}  // namespace

const Architecture kQwen2 = {
    .name = "qwen2", .models = "Qwen 2, Qwen 2.5", .read = ReadCommonKeys, .build = BuildQwen2};

}  // namespace headway::model
