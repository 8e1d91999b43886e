#pragma once

// What all parts of the JSON schema reader share: keywords that say nothing about the text, and
// errors that name a place in the schema.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headway::grammar {

using Json = nlohmann::ordered_json;

template <size_t kCount>
bool Holds(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// title, description and such.
bool IsAnnotation(std::string_view keyword);

// "WHERE: WHAT"; `where` is a JSON pointer like "#/properties/age".
tl::unexpected<Error> SchemaError(const std::string& where, const std::string& what,
                                  ErrorCode code = ErrorCode::kInvalidInput);
// kUnsupported, naming the keyword.
tl::unexpected<Error> UnsupportedKeyword(const std::string& where, const std::string& keyword);

// Every keyword must be an annotation or one of `known`.
template <size_t kCount>
Result<void> OnlyKeywords(const Json& schema, const std::array<std::string_view, kCount>& known,
                          const std::string& where) {
  for (const auto& [keyword, value] : schema.items()) {
    if (!IsAnnotation(keyword) && !Holds(known, keyword)) return UnsupportedKeyword(where, keyword);
  }
  return {};
}

}  // namespace headway::grammar
