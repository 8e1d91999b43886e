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

enum class Verdict : uint8_t {
  kCpu,      // leaves the engine, or keeps the program from running there
  kUnknown,  // may do so: it cannot be told
  kWarn,     // stays, but slow or wrong
  kEngine,   // known to stay
};
enum class Certainty : uint8_t {
  kCertain,    // measured on a device or stated by Apple, and nothing known against it
  kLikely,     // one source, or an inference
  kContested,  // evidence on both sides; never a verdict of cpu
};
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
  std::optional<int64_t> reduction_over;   // channels that a product sums over
  std::optional<int64_t> kernel_size;      // of every axis of a convolution's window
  std::optional<int64_t> batch_over;       // products that a matmul makes at once
  std::optional<int64_t> constant_beyond;  // the size of a number given in place, or not finite
  bool constant_weight = false;            // one factor is a constant
  bool last_axis_offset = false;
  std::optional<DmaNotch> dma_notch;
  // Of the compressed weight an op reads.
  std::vector<DType> weight_dtype;
  std::vector<DType> weight_lut_dtype;
  bool weight_blocks_along_input = false;
  bool weight_scale_per_channel = false;  // scales, and not in blocks
  bool weight_table = false;
  bool weight_scaled_table = false;  // a table whose values are scaled row by row
  // Of the program.
  std::optional<int64_t> weight_bytes_over;
  std::optional<int64_t> weight_bytes_below;
  std::optional<int64_t> weight_elements_below;
  std::optional<int64_t> states_over;
  std::optional<int64_t> state_axes_not_multiple_of;  // either of a state's last two
  std::optional<int64_t> last_axis_below;             // of an input or output, or no multiple of it
  bool writes_states = false;
  bool flexible = false;
};

struct Evidence {
  std::string evidence;
  std::string source;
};

struct PlacementRule {
  std::string id;
  bool whole_program = false;
  Condition when;
  std::vector<Platform> platforms;  // empty: all
  Verdict verdict = Verdict::kWarn;
  Certainty certainty = Certainty::kLikely;
  std::vector<Evidence> evidence;  // for it, the first the most telling; never empty
  std::vector<Evidence> against;
};

std::string_view NameOf(Certainty certainty);

// Errors (kCorrupt): not the schema, an unknown key or name (named), evidence that does not go with
// the certainty.
Result<std::vector<PlacementRule>> ParsePlacementRules(std::string_view json);

// The built-in rules; aborts if they do not parse (a test sees to it that they do).
const std::vector<PlacementRule>& BuiltInPlacementRules();

}  // namespace headway::mil
