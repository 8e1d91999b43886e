#pragma once

// Errors that name a place in a schema: a JSON pointer like "#/properties/age".

#include <fmt/format.h>

#include <string>

#include "base/result.h"

namespace headway::grammar {

// "WHERE: WHAT"
inline tl::unexpected<Error> SchemaError(const std::string& where, const std::string& what,
                                         ErrorCode code = ErrorCode::kInvalidInput) {
  return Fail(code, fmt::format("{}: {}", where, what));
}

// kUnsupported, naming the keyword.
inline tl::unexpected<Error> UnsupportedKeyword(const std::string& where,
                                                const std::string& keyword) {
  return SchemaError(
      where, fmt::format("expected keywords that a grammar can express, found '{}'", keyword),
      ErrorCode::kUnsupported);
}

}  // namespace headway::grammar
