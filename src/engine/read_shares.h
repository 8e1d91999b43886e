#pragma once

// How the tokens that a step has for prompts are shared among those that are being read.

#include <cstdint>
#include <span>
#include <vector>

namespace headway {

// Of `budget` tokens each gets an equal share, or what it wants when that is less; what those leave
// goes to the others, the first ones first. None is left out while there is budget.
std::vector<int64_t> ReadShares(std::span<const int64_t> wanted, int64_t budget);

}  // namespace headway
