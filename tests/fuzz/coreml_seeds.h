#pragma once

// Small valid files of each kind, as seeds for fuzzing and as the ground that mutation tests start
// from.

#include <string>
#include <vector>

namespace headway {

struct CoremlSeeds {
  std::vector<std::string> models;     // model.mlmodel
  std::vector<std::string> weights;    // weight.bin
  std::vector<std::string> manifests;  // Manifest.json
};

CoremlSeeds MakeCoremlSeeds();

}  // namespace headway
