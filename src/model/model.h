#pragma once

// From a GGUF file to the hyper-parameters and the graph of the model in it. architectures/ holds
// one forward pass each; GGUF names appear in this folder only.

#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "graph/graph.h"
#include "manifest/model_config.h"

namespace headway::model {

// The hyper-parameters, checked against each other. Errors: kUnsupported (architecture), kNotFound
// (missing key), kInvalidInput (values that contradict each other).
Result<ModelConfig> ReadModelConfig(const gguf::GgufFile& file);

// The whole model as one graph: stage -1 the embedding, stages 0..L-1 the layers, stage L the head.
// Every weight exists in `file` with the shape that the configuration demands. Errors: kNotFound
// (tensor), kInvalidInput (shape), kUnsupported (type).
Result<graph::Graph> BuildGraph(const gguf::GgufFile& file, const ModelConfig& config);

struct TensorSpec {
  std::string name;
  Shape shape;  // [N, D] matrices of a weight type, [n] vectors of F32
};

// What BuildGraph asks a file of this configuration for: each tensor once, in the order of the
// forward pass. Errors: kUnsupported (architecture), kInvalidInput (sizes that do not fit).
Result<std::vector<TensorSpec>> ListTensors(const ModelConfig& config);

}  // namespace headway::model
