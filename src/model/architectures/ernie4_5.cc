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

}  // namespace

const Architecture kErnie45 = {
    .name = "ernie4_5", .models = "ERNIE 4.5", .read = ReadErnie45, .build = BuildLlama};

}  // namespace headway::model
