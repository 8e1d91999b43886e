#pragma once

// The plots of the HTML page, each with its heading and caption. Inside this folder only.

#include <string>
#include <vector>

#include "lab/results.h"
#include "lab/spec.h"

namespace headway::lab {

// The measured variants, in the specification's order.
std::vector<const VariantResult*> Measured(const Results& results);

// Ratios to the baseline with their intervals; nothing when there is nothing to compare.
void AppendRatios(const Spec& spec, const Results& results, std::string* out);
// The head's time in projection and selection, and the bytes of weights read a token.
void AppendHeads(const Results& results, std::string* out);
// Work of each head shard, or of each layer shard where the experiment is about layers.
void AppendShards(const Spec& spec, const Results& results, std::string* out);
// A decoded token's time, taken apart.
void AppendSteps(const Results& results, std::string* out);

}  // namespace headway::lab
