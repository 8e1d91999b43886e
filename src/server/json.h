#pragma once

// JSON of requests and answers. The only header of this folder that includes the JSON library.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headway::server {

using Json = nlohmann::ordered_json;

// What a request nests at most, so that whatever walks the tree may recurse.
inline constexpr int kDeepestRequest = 128;

// Errors: kInvalidInput, with line and column.
Result<Json> ParseJsonText(std::string_view text);

// On one line; bytes that are no UTF-8 become U+FFFD.
std::string JsonText(const Json& value);

}  // namespace headway::server
