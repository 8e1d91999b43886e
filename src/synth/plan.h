#pragma once

// What goes into a synthetic model file: the list of tensors with types and distributions, and the
// metadata.

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/gguf_writer.h"
#include "synth/model_shape.h"
#include "synth/type_mix.h"
#include "synth/weights.h"
#include "tensor/data_type.h"
#include "tensor/tensor_view.h"

namespace headway::synth {

struct PlannedTensor {
  std::string name;
  DataType type = DataType::kF32;
  Shape shape;
  Distribution distribution;
  std::vector<float> values;  // given values (F32) instead of drawn ones, when not empty
};

// All tensors of the model in file order. Standard deviations keep activations near 1 at any depth:
// matrices have 1 / sqrt(fan_in); the two that write into the residual stream are divided by sqrt(2
// L) more, so that 2 L such contributions add up to the order of one.
std::vector<PlannedTensor> PlanTensors(const ModelShape& shape, const TypeMix& mix, bool pure);

// The keys that llama.cpp's converters write for the architecture, and a tokenizer of
// shape.vocab_size.
void AddMetadata(const ModelShape& shape, const TypeMix& mix, uint64_t seed,
                 gguf::GgufWriter& writer);

}  // namespace headway::synth
