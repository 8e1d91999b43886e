// EXAONE 4 (arXiv:2507.11407): Llama's layer with its norms behind attention and feed-forward instead
// of before, norms of each head of q and k; the 32B model has three layers with a window to each
// that sees every position, which has no rotary embedding.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

constexpr std::string_view kExaone4Keys[] = {"attention.sliding_window_pattern"};

// Source: EXAONE 4's published configurations, as llama.cpp tells them apart.
constexpr uint32_t kExaone4Interval = 4;

Result<void> ReadExaone4(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY_VOID(ReadCommonKeys(file, c));
  HW_TRY(const uint32_t window, file.GetU32Or("exaone4.attention.sliding_window", 0));
  if (window == 0) return {};
  HW_TRY(c->global_layers, GlobalLayers(file, *c, kExaone4Interval));
  c->unrotated_layers = c->global_layers;
  return {};
}

ValueId Exaone4Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId o = SelfAttention(c, x, HeadNorms::kQueriesAndKeys, b);
  const ValueId x1 = b->Add("attn_residual", x, b->Norm("post_attention_norm", o));

  const ValueId down = FeedForward(c, x1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, b->Norm("post_ffw_norm", down));
}

void BuildExaone4(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Exaone4Layer, b); }

}  // namespace

const Architecture kExaone4 = {.name = "exaone4",
                               .models = "EXAONE 4",
                               .keys = kExaone4Keys,
                               .read = ReadExaone4,
                               .build = BuildExaone4};

}  // namespace headway::model
