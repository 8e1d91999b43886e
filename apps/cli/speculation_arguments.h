#pragma once

// --speculate, --probe and --draft-tokens as a request.

#include <string>

#include "arguments.h"
#include "headway/result.h"
#include "headway/speculation_params.h"

namespace headway::cli {

struct SpeculationRequest {
  SpeculationParams params;
  std::string draft_model;  // of model:SMALL.gguf
};

// Errors: kInvalidInput.
Result<SpeculationRequest> ReadSpeculation(const RunArguments& arguments);

}  // namespace headway::cli
