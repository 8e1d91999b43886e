#pragma once

// The forward pass of the Llama family: as Phi-3, with separate projections and rotary on adjacent
// channels. Inside this folder only.

#include "graph/builder.h"
#include "manifest/model_config.h"
#include "model/weights.h"

namespace headway::model {

void BuildLlama(const ModelConfig& config, Weights* weights, graph::Builder* builder);

}  // namespace headway::model
