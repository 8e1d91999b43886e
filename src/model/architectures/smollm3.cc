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

}  // namespace

const Architecture kSmollm3 = {
    .name = "smollm3", .models = "", .read = ReadSmollm3, .build = BuildLlama};

}  // namespace headway::model
