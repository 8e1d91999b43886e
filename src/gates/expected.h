#pragma once

// What a package's shards should compute, by the oracle on the weights as they are stored. The cpu
// device stores the model file's own blocks, so that the recorded goldens are the answer; coreml
// stores weights anew, so that the oracle runs on what its packages hold. Inside this folder only.

#include <vector>

#include "base/result.h"
#include "gates/golden.h"
#include "manifest/goldens.h"

namespace headway::gate {

struct Expected {
  std::vector<std::vector<float>> boundaries;  // [layer shards + 1][T, D]: before each, and the end
  std::vector<std::vector<float>> logits;      // [T, V] of the last boundary, for each head
};

// Errors: those of reading the shards' graphs and weights.
Result<Expected> Expect(const Heads& heads, const Goldens& goldens);

}  // namespace headway::gate
