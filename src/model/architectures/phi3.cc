// Phi-3 and Phi-4-mini (arXiv:2404.14219): projections of one input are one matrix, its rows one
// after the other; rotary on the first rotary_dim channels of a head, by halves, with LongRoPE.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

ValueId Phi3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const int64_t F = c.intermediate_size;
  const ValueId n = b->Norm("attn_norm", x);
  const ValueId o = SelfAttention(c, n, HeadNorms::kNone, b);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId both = b->Linear("gate_up", n1, "ffn_up", 2 * F);
  const ValueId gate = b->Slice("gate", both, 0, F);
  const ValueId up = b->Slice("up", both, F, 2 * F);
  const ValueId hidden = b->Gate("ffn_hidden", Activation::kSilu, gate, up);
  const ValueId down = b->Linear("ffn_down", hidden, "ffn_down", c.hidden_size);
  return b->Add("ffn_residual", x1, down);
}

void BuildPhi3(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Phi3Layer, b); }

}  // namespace

const Architecture kPhi3 = {
    .name = "phi3", .models = "Phi-3, Phi-4-mini", .read = ReadCommonKeys, .build = BuildPhi3};

}  // namespace headway::model
