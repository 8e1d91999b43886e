#pragma once

// Reading lists of numbers from the command line and formatting quantities for people.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headway/engine.h"
#include "headway/result.h"

namespace headway::cli {

// "1,2,3" or ids separated by white space. `what` names the source in messages. Errors:
// kInvalidInput.
Result<std::vector<int32_t>> ParseIds(std::string_view text, const std::string& what);

// "15:-2.5,7:-inf". Errors: kInvalidInput.
Result<std::vector<std::pair<int32_t, float>>> ParseLogitBias(std::string_view text);

// "auto", "map", "copy": checked by the argument parser.
LoadWeights ParseLoad(std::string_view text);
// "f16" or "q8_0"
KvType ParseKv(std::string_view text);

// HEADWAY_CPU: the one instruction set to use; empty: the best.
std::string ForcedInstructionSet();

// "4.08 GB", "512 B": powers of 1000, as memory bandwidth is given.
std::string FormatBytes(double bytes);

// "1 head", "3 heads"
std::string Plural(uint64_t count, const std::string& noun);

}  // namespace headway::cli
