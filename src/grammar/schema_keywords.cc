#include "grammar/schema_keywords.h"

#include <fmt/format.h>

namespace headway::grammar {
namespace {

// Say nothing about the text.
constexpr std::array<std::string_view, 16> kAnnotations = {
    "title",       "description",      "default",         "examples",     "$schema",    "$id",
    "id",          "$comment",         "readOnly",        "writeOnly",    "deprecated", "$defs",
    "definitions", "contentMediaType", "contentEncoding", "discriminator"};

}  // namespace

bool IsAnnotation(std::string_view keyword) { return Holds(kAnnotations, keyword); }

tl::unexpected<Error> SchemaError(const std::string& where, const std::string& what,
                                  ErrorCode code) {
  return Fail(code, fmt::format("{}: {}", where, what));
}

tl::unexpected<Error> UnsupportedKeyword(const std::string& where, const std::string& keyword) {
  return SchemaError(
      where, fmt::format("expected keywords that a grammar can express, found '{}'", keyword),
      ErrorCode::kUnsupported);
}

}  // namespace headway::grammar
