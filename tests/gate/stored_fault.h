#pragma once

// Packages whose emitter stores some rows wrongly, on any device: no digest shows it, and goldens
// come from the model file.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "device/emitter.h"

namespace headway::gate_test {

inline constexpr int64_t kFaultRows = 64;  // a tile

// Changes rows [first, first + kFaultRows) of a matrix before the emitter stores them in one file.
struct StoredFault {
  std::string shard;   // file name; empty: none
  std::string weight;  // a matrix of that shard
  int64_t first = 0;   // row of what the emitter is given
  std::function<void(std::span<float> rows, int64_t columns)> edit;
};

// What faults do to kFaultRows rows.
void TransposeTile(std::span<float> rows, int64_t columns);  // their first kFaultRows columns
void PutNan(std::span<float> rows, int64_t columns);         // one, in the first row
inline constexpr int64_t kScaledRow = 17;
void ScaleOneRow(std::span<float> rows, int64_t columns);  // kScaledRow, by 1 %

// `emitter` with the fault between it and the packer. The fault must outlive the result.
std::unique_ptr<Emitter> WithFault(std::unique_ptr<Emitter> emitter, const StoredFault& fault);

}  // namespace headway::gate_test
