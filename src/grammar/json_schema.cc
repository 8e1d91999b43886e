#include "grammar/json_schema.h"

#include <fmt/format.h>

#include <utility>

#include "grammar/json_text.h"
#include "grammar/schema_converter.h"

namespace headway::grammar {

Result<Rules> ParseJsonSchema(std::string_view json) {
  constexpr int kMostNesting = 4 * SchemaConverter::kDeepest;
  if (JsonNesting(json) > kMostNesting) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected JSON of at most {} levels, found more", kMostNesting));
  }
  Json schema = Json::parse(json.begin(), json.end(), nullptr, false);
  if (schema.is_discarded())
    return Fail(ErrorCode::kInvalidInput, "expected JSON, found something else");
  try {
    return SchemaConverter(std::move(schema)).Run();
  } catch (const Json::exception& error) {  // a keyword's value of another kind than expected
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected a JSON schema, found other JSON ({})", error.what()));
  }
}

}  // namespace headway::grammar
