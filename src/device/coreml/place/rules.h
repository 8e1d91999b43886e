#pragma once

// The placement rules as data: src/device/coreml/place/rules.json, built into the program.
// Conditions are conjunctions of a few tests on one op or on the whole program; a new finding is a
// new row there, not code.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/coreml/ir/dtype.h"

namespace headway::mil {

enum class Verdict : uint8_t { kCpu, kWarn };
enum class Platform : uint8_t { kMacos, kIos };

struct DmaNotch {
  int64_t cores = 16;
  int64_t step_bytes = 0;
  int64_t tolerance_bytes = 0;
};

// All tests that are present must hold.
struct Condition {
  std::vector<std::string> op;      // one of these types
  std::vector<std::string> not_op;  // none of these
  std::vector<DType> any_dtype;     // of a computed input or an output
  std::optional<int64_t> rank_over;
  std::optional<int64_t> axis_over;  // of a computed input or an output
  std::optional<int64_t> kernel_over;
  std::optional<int64_t> query_elements_below;
  bool last_axis_offset = false;
  std::optional<DmaNotch> dma_notch;
  // Of the compressed weight an op reads.
  std::vector<DType> weight_dtype;
  std::vector<DType> weight_lut_dtype;
  bool weight_blocks_along_input = false;
  // Of the program.
  std::optional<int64_t> weight_bytes_over;
  std::optional<int64_t> weight_elements_below;
  std::optional<int64_t> states_over;
  bool flexible = false;
};

struct PlacementRule {
  std::string id;
  bool whole_program = false;
  Condition when;
  std::vector<Platform> platforms;  // empty: all
  Verdict verdict = Verdict::kWarn;
  std::string confidence;  // "A", "B", "C", "H"
  std::string evidence;
  std::string source;
};

// Errors (kCorrupt): not the schema, an unknown key or name (named).
Result<std::vector<PlacementRule>> ParsePlacementRules(std::string_view json);

// The built-in rules; aborts if they do not parse (a test sees to it that they do).
const std::vector<PlacementRule>& BuiltInPlacementRules();

}  // namespace headway::mil
