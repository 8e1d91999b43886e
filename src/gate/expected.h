#pragma once

// What a package's shards should compute, by the oracle on the weights as they are stored. Where
// they are the model file's own blocks, the recorded goldens are the answer; where a device stores
// rows of its own, the oracle runs on what its shards hold. Inside this folder only.

#include <vector>

#include "base/result.h"
#include "gate/golden.h"
#include "gate/goldens.h"

namespace headway::gate {

struct Expected {
  std::vector<std::vector<float>> boundaries;  // [layer shards + 1][T, D]: before each, and the end
  std::vector<std::vector<float>> logits;      // [T, V] of the last boundary, for each head
};

// Errors: those of reading the shards' graphs and weights.
Result<Expected> Expect(const Heads& heads, const Goldens& goldens);

}  // namespace headway::gate
