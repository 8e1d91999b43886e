// Gemma 3 (arXiv:2503.19786): the embedding times sqrt(D), a norm before and after attention and
// feed-forward, norms of each head of q and k, GELU gates, and five layers with a window, which turn
// by a base of their own, to each that sees every position. Files hold gains with their 1 added. The
// layer is Gemma 2's, too (gemma2.cc).

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

constexpr std::string_view kGemma3Keys[] = {
    "rope.freq_base_swa", "attention.sliding_window_pattern", "final_logit_softcapping"};

// Source: Gemma 3's published configurations; files name neither, but may name others.
constexpr uint32_t kGemma3Interval = 6;
constexpr float kGemma3LocalBase = 10000.0F;
constexpr int64_t kGemma3Layers27B = 62;

Result<void> ReadGemma3(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY_VOID(ReadGemmaKeys(file, kGemma3Layers27B, c));
  HW_TRY(c->global_layers, GlobalLayers(file, *c, kGemma3Interval));
  HW_TRY(const float base, PositiveOr(file, "gemma3.rope.freq_base_swa", kGemma3LocalBase));
  HW_TRY(const uint32_t window, file.GetU32Or("gemma3.attention.sliding_window", 0));
  if (window > 0) c->rope_local_theta = static_cast<double>(base);
  HW_TRY(c->logit_soft_cap, SoftCapOr(file, "gemma3.final_logit_softcapping", 0.0F));
  return {};
}

ValueId Gemma3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  return GemmaLayer(c, x, HeadNorms::kQueriesAndKeys, b);
}

void BuildGemma3(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Gemma3Layer, b); }

}  // namespace

ValueId GemmaLayer(const ModelConfig& c, ValueId x, HeadNorms norms, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, norms, b);
  const ValueId x1 = b->Add("attn_residual", x, b->Norm("post_attention_norm", o));

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kGeluTanh, b);
  return b->Add("ffn_residual", x1, b->Norm("post_ffw_norm", down));
}

const Architecture kGemma3 = {.name = "gemma3",
                              .models = "Gemma 3",
                              .keys = kGemma3Keys,
                              .read = ReadGemma3,
                              .build = BuildGemma3};

}  // namespace headway::model
