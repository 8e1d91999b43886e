// Gemma 2 (arXiv:2408.00118): the embedding times sqrt(D), a norm before and after attention and
// feed-forward, GELU gates, soft caps on scores and logits, and a window in every other layer, the
// first among them. Files hold gains with their 1 added.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

constexpr std::string_view kGemma2Keys[] = {"attention.sliding_window_pattern",
                                            "attn_logit_softcapping", "final_logit_softcapping"};

// Source: Gemma 2's published configurations, for files that do not name them.
constexpr uint32_t kGemma2Interval = 2;
constexpr int64_t kGemma2Window = 4096;
constexpr float kGemma2ScoreCap = 50.0F;
constexpr float kGemma2LogitCap = 30.0F;
constexpr int64_t kGemma2Layers27B = 46;

Result<void> ReadGemma2(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY_VOID(ReadGemmaKeys(file, kGemma2Layers27B, c));
  if (file.Find("gemma2.attention.sliding_window") == nullptr &&
      kGemma2Window < c->max_position_embeddings)
    c->sliding_window = kGemma2Window;
  HW_TRY(c->global_layers, GlobalLayers(file, *c, kGemma2Interval));
  HW_TRY(c->attention_soft_cap, SoftCapOr(file, "gemma2.attn_logit_softcapping", kGemma2ScoreCap));
  HW_TRY(c->logit_soft_cap, SoftCapOr(file, "gemma2.final_logit_softcapping", kGemma2LogitCap));
  return {};
}

ValueId Gemma2Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  return GemmaLayer(c, x, HeadNorms::kNone, b);
}

void BuildGemma2(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Gemma2Layer, b); }

}  // namespace

const Architecture kGemma2 = {.name = "gemma2",
                              .models = "Gemma 2",
                              .keys = kGemma2Keys,
                              .read = ReadGemma2,
                              .build = BuildGemma2};

}  // namespace headway::model
