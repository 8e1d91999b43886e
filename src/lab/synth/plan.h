#pragma once

// What goes into a synthetic model file: the list of tensors with types and distributions, and the
// metadata.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gguf/gguf_writer.h"
#include "lab/synth/model_shape.h"
#include "lab/synth/type_mix.h"
#include "lab/synth/weights.h"
#include "tensor/data_type.h"
#include "tensor/tensor_view.h"

namespace headway::synth {

// Adds rows of another tensor's stream: row r gets + Gaussian row (r + rows - row_shift) % rows of
// that stream times standard_deviation.
struct RowEcho {
  std::string tensor_name;
  float standard_deviation = 0.0F;
  int64_t row_shift = 0;
};

struct PlannedTensor {
  std::string name;
  DataType type = DataType::kF32;
  Shape shape;
  Distribution distribution;
  std::vector<float> values;  // given values (F32) instead of drawn ones, when not empty
  std::optional<RowEcho> echo;
  int64_t distinct_rows = 0;  // row r equals row r % distinct_rows; 0: all are different
};

struct PlanOptions {
  bool pure = false;  // see TypeFor
  std::optional<DataType> head_type =
      std::nullopt;  // of the output matrix, or an embedding tied to it
  std::optional<double> margin_sigma = std::nullopt;  // see SynthSpec; below MaxMargin(shape)
  int64_t distinct_rows = 0;                          // of the head; see PlannedTensor
};

// All tensors of the model in file order. Standard deviations keep activations near 1 at any depth:
// matrices have 1 / sqrt(fan_in); the two that write into the residual stream are divided by sqrt(2
// L) more, so that 2 L such contributions add up to the order of one.
//
// With a margin M the head is untied and points: the embedding is larger than what all layers add,
// so the final hidden state h of token t keeps a cosine near kAlignment with the embedding e(t).
// Row r of the head is Gaussian plus beta times e(t) / std for the one t with Successor(t) = r.
// With D channels the row's logit then stands beta * D * kAlignment above a bulk of deviation
// sqrt(D * (1 + beta^2)), both times |h| / sqrt(D); beta is chosen to make that M deviations.
std::vector<PlannedTensor> PlanTensors(const ModelShape& shape, const TypeMix& mix,
                                       const PlanOptions& options);

// The token that a model with a margin puts after `token`: all tokens in one cycle.
int64_t Successor(const ModelShape& shape, int64_t token);

// The largest margin that such a head can have: what remains when it has no noise.
double MaxMargin(const ModelShape& shape);

// The keys that llama.cpp's converters write for the architecture, and a tokenizer of
// shape.vocab_size.
void AddMetadata(const ModelShape& shape, const TypeMix& mix, uint64_t seed,
                 gguf::GgufWriter& writer);

}  // namespace headway::synth
