// Qwen 2 and 2.5 (arXiv:2407.10671, 2412.15115): as Llama, with biases on q, k and v (which the file
// brings) and rotary by halves.

#include "model/architectures.h"
#include "model/blocks.h"
#include "model/read_keys.h"

namespace headway::model {

const Architecture kQwen2 = {
    .name = "qwen2", .models = "Qwen 2, Qwen 2.5", .read = ReadCommonKeys, .build = BuildLlama};

}  // namespace headway::model
