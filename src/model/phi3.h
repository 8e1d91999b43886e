#pragma once

// The forward pass of the Phi-3 family (Phi-3-mini, Phi-4-mini). Inside this folder only.

#include "graph/builder.h"
#include "manifest/model_config.h"
#include "model/weights.h"

namespace headway::model {

void BuildPhi3(const ModelConfig& config, Weights* weights, graph::Builder* builder);

}  // namespace headway::model
