#pragma once

// From a GGUF file to the hyper-parameters and the graph of the model in it. transformer.cc holds
// the forward pass on one screen; GGUF names appear in this folder only.

#include <string>

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

}  // namespace headway::model
