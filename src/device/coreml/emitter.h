#pragma once

// Writes shards for the coreml device: layers and heads as .mlpackage directories, the embedding as
// a GGUF with one tensor, whose rows the host reads (a table of more than 65535 rows cannot be
// gathered on the Neural Engine).

#include <memory>
#include <optional>
#include <string>

#include "base/thread_pool.h"
#include "device/coreml/shards/layer_shard.h"
#include "device/coreml/shards/weight_format.h"
#include "device/emitter.h"

namespace headway::coreml {

struct EmitterOptions {
  mil::WeightFormat weights;
  mil::StateLayout states = mil::StateLayout::kPerLayer;
  mil::AttentionForm attention = mil::AttentionForm::kPerHead;
  int64_t head_splits = 1;     // convolutions of a full head's shard
  float norm_prescale = 0.0F;  // 0: 1 / sqrt(hidden_size)
  // On the residual stream, a power of two; nothing: as what was recorded asks for.
  std::optional<float> residual_scale = std::nullopt;
};

// The key of the shard's graph (graph/text.h) in the metadata of its model.
inline constexpr const char* kGraphKey = "headway.graph";
// The key of the factor on hidden states, where there is one: "0.0625".
inline constexpr const char* kResidualScaleKey = "headway.residual_scale";
// The key of what storing the weights cost, in words.
inline constexpr const char* kWeightsKey = "headway.weights";

// What `pack` asked for. Errors: kInvalidInput, naming the flag.
Result<std::unique_ptr<Emitter>> NewEmitter(const DeviceOptions& options);
// Works on `pool`, which must outlive the emitter.
std::unique_ptr<Emitter> MakeEmitter(const EmitterOptions& options, ThreadPool* pool);

// "fp16", "int8", "lut2" (3, 4, 6, 8 bits) or "int4-blockwise", as `headway pack --weights` has it.
// Errors: kInvalidInput.
Result<mil::WeightFormat> ParseWeightFormat(const std::string& text);

}  // namespace headway::coreml
