// ERNIE 4.5 without experts: Llama's layer, rotary by adjacent channels.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

Result<void> ReadErnie45(const gguf::GgufFile& file, ModelConfig* c) {
  c->rope_pairs = true;
  return ReadCommonKeys(file, c);
}

ValueId Ernie45Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kNone, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, down);
}

void BuildErnie45(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Ernie45Layer, b); }

}  // namespace

const Architecture kErnie45 = {
    .name = "ernie4_5", .models = "ERNIE 4.5", .read = ReadErnie45, .build = BuildErnie45};

}  // namespace headway::model
