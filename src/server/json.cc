#include "server/json.h"

#include <fmt/format.h>

#include "grammar/json_value.h"

namespace headway::server {

Result<Json> ParseJsonText(std::string_view text) {
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    if (depth <= kDeepestRequest) return true;
    too_deep = true;
    return false;
  };
  Json value = Json::parse(text.begin(), text.end(), watch, false);
  if (too_deep) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("JSON: expected at most {} levels, found more", kDeepestRequest));
  }
  if (!value.is_discarded()) return value;
  const auto strict = grammar::ParseJson(text);  // says where
  return Fail(ErrorCode::kInvalidInput,
              strict ? std::string("JSON: expected a value in UTF-8, found other bytes")
                     : "JSON: " + strict.error().message);
}

std::string JsonText(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace headway::server
