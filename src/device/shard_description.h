#pragma once

// What is in a shard's file, for people: `headway inspect`.

#include <cstdint>
#include <string>
#include <vector>

namespace headway {

// Where the ops of one function of a program are predicted to run.
struct PlacedFunction {
  std::string name;
  std::string text;
  std::string json;
};

struct ShardDescription {
  std::string form;  // "Core ML package"; empty: a file of ours
  uint64_t weight_bytes = 0;
  std::string text;                       // its graph or program
  std::string problem;                    // why it does not verify; then there are no functions
  std::vector<PlacedFunction> functions;  // of devices that are not here
};

}  // namespace headway
