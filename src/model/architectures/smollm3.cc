// SmolLM3: Llama's layer, but every fourth layer has no rotary embedding (NoPE, arXiv:2501.18795).

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

// Source: SmolLM3's configuration, no_rope_layer_interval; files do not name it.
constexpr int64_t kUnrotatedInterval = 4;

Result<void> ReadSmollm3(const gguf::GgufFile& file, ModelConfig* c) {
  c->rope_pairs = true;
  HW_TRY_VOID(ReadCommonKeys(file, c));
  for (int64_t l = kUnrotatedInterval - 1; l < c->num_hidden_layers; l += kUnrotatedInterval)
    c->unrotated_layers.push_back(l);
  return {};
}

ValueId Smollm3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kNone, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, down);
}

void BuildSmollm3(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Smollm3Layer, b); }

}  // namespace

const Architecture kSmollm3 = {
    .name = "smollm3", .models = "", .read = ReadSmollm3, .build = BuildSmollm3};

}  // namespace headway::model
