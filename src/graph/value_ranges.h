#pragma once

// What the values of a model reach, recorded from a text (pack/record_ranges.h): for devices that
// compute in 16-bit floats, which end at 65,504.

#include <map>
#include <string>

namespace headway::graph {

struct ValueRanges {
  std::map<std::string, float> largest;  // |value|, by its name in the graph
  float residual_stream = 0.0F;          // of the embedding and all sums
  // The length (the root of the sum of squares) of what is normalised together, by the name of the
  // norm's result.
  std::map<std::string, float> normalised;

  // 0: not recorded.
  float Largest(const std::string& value) const { return Of(largest, value); }
  float LengthBefore(const std::string& norm) const { return Of(normalised, norm); }

 private:
  static float Of(const std::map<std::string, float>& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? 0.0F : found->second;
  }
};

}  // namespace headway::graph
