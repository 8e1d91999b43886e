#pragma once

// How deep a JSON text nests, before a parser that goes down once a level sees it.

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace headway {

// Of files that Headway or its users write; more is nobody's.
inline constexpr size_t kDeepestJson = 64;

// Whether arrays and objects of `text` nest more than `most` deep. Of what is no JSON: whether they
// would where it is read from the left.
bool NestsDeeper(std::string_view text, size_t most = kDeepestJson);

// Errors: `code`, when it does: "WHERE: expected ...".
Result<void> CheckJsonDepth(std::string_view text, std::string_view where, ErrorCode code);

}  // namespace headway
