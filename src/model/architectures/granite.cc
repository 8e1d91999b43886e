// Granite 3 (IBM): Llama's layer with four constants: on the embedding, on the scores of attention, on
// what is added to the residual stream, and on the logits, which are divided by theirs.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

constexpr std::string_view kGraniteKeys[] = {"embedding_scale", "attention.scale", "residual_scale",
                                             "logit_scale"};

Result<void> ReadGranite(const gguf::GgufFile& file, ModelConfig* c) {
  c->rope_pairs = true;
  HW_TRY_VOID(ReadCommonKeys(file, c));
  HW_TRY(c->embedding_scale, PositiveOr(file, "granite.embedding_scale", 1.0F));
  HW_TRY(c->attention_scale, PositiveOr(file, "granite.attention.scale", c->attention_scale));
  HW_TRY(c->residual_scale, PositiveOr(file, "granite.residual_scale", 1.0F));
  HW_TRY(const float divisor, PositiveOr(file, "granite.logit_scale", 1.0F));
  c->logit_scale = 1.0F / divisor;
  // A switch here: without it no layer has a rotary embedding.
  HW_TRY(const bool rotary, file.GetBoolOr("granite.rope.scaling.finetuned", true));
  for (int64_t l = 0; !rotary && l < c->num_hidden_layers; ++l) c->unrotated_layers.push_back(l);
  return {};
}

ValueId GraniteLayer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kNone, b);
  const ValueId x1 = b->Add("attn_residual", x, b->Scale("attn_scaled", o, c.residual_scale));

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId down = FeedForward(c, n1, Activation::kSilu, b);
  return b->Add("ffn_residual", x1, b->Scale("ffn_scaled", down, c.residual_scale));
}

void BuildGranite(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, GraniteLayer, b); }

}  // namespace

const Architecture kGranite = {.name = "granite",
                               .models = "Granite 3",
                               .keys = kGraniteKeys,
                               .read = ReadGranite,
                               .build = BuildGranite};

}  // namespace headway::model
