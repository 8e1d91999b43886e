// Qwen 3 (arXiv:2505.09388): as Llama, but each head of q and k is normalised before rotary, which
// turns halves, and head_dim is a key of its own.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

ValueId Qwen3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  return LlamaLayer(c, x, HeadNorms::kQueriesAndKeys, b);
}

void BuildQwen3(const ModelConfig& c, ModelBuilder* b) { BuildModel(c, Qwen3Layer, b); }

}  // namespace

const Architecture kQwen3 = {
    .name = "qwen3", .models = "", .read = ReadCommonKeys, .build = BuildQwen3};

}  // namespace headway::model
