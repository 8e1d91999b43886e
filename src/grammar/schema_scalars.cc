#include "grammar/schema_scalars.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "grammar/json_text.h"
#include "grammar/pattern.h"

namespace headway::grammar {
namespace {

constexpr int64_t kMostCount = 10000;

// A count of items or characters.
Result<int64_t> Count(const Json& schema, const char* keyword, int64_t otherwise,
                      const std::string& where) {
  if (!schema.contains(keyword)) return otherwise;
  const Json& value = schema[keyword];
  if (value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(kMostCount))
    return value.get<int64_t>();
  return SchemaError(where, fmt::format("{}: expected a whole number from 0 to {}, found {}",
                                        keyword, kMostCount, value.dump()));
}

}  // namespace

Result<SchemaCounts> CountsOf(const Json& schema, const char* least, const char* most,
                              const std::string& where) {
  SchemaCounts counts;
  HW_TRY(counts.least, Count(schema, least, 0, where));
  HW_TRY(counts.most, Count(schema, most, Expression::kNoLimit, where));
  if (counts.most != Expression::kNoLimit && counts.most < counts.least)
    return SchemaError(
        where, fmt::format("{}: expected at least {}, found {}", most, counts.least, counts.most));
  return counts;
}

Result<Expression> ConvertString(const Json& schema, const std::string& where) {
  for (const auto& [keyword, value] : schema.items()) {
    const bool form = keyword == "pattern" || keyword == "format";
    const bool length = keyword == "minLength" || keyword == "maxLength";
    const bool clash = form && (schema.contains("minLength") || schema.contains("maxLength") ||
                                (schema.contains("pattern") && schema.contains("format")));
    if ((!form && !length && keyword != "type" && !IsAnnotation(keyword)) || clash)
      return UnsupportedKeyword(
          where,
          clash ? std::string(keyword).append("' beside other limits of the string, '") += keyword
                : keyword);
    if (form && !value.is_string()) return SchemaError(where, keyword + ": expected a text");
  }
  if (schema.contains("pattern")) {
    auto string = JsonStringMatching(schema["pattern"].get<std::string>());
    if (!string) return Prefixed(string.error(), where + ": pattern");
    return *std::move(string);
  }
  if (schema.contains("format")) {
    Expression string;
    const auto format = schema["format"].get<std::string>();
    if (JsonStringFormat(format, &string)) return string;
    return SchemaError(
        where, fmt::format("format: expected date, time, date-time or uuid, found '{}'", format),
        ErrorCode::kUnsupported);
  }
  HW_TRY(const SchemaCounts counts, CountsOf(schema, "minLength", "maxLength", where));
  if (counts.least == 0 && counts.most == Expression::kNoLimit) return Rule("string");
  return JsonString(counts.least, counts.most);
}

Result<Expression> ConvertInteger(const Json& schema, const std::string& where) {
  constexpr std::array<std::string_view, 5> kKnown = {"type", "minimum", "maximum",
                                                      "exclusiveMinimum", "exclusiveMaximum"};
  HW_TRY_VOID(OnlyKeywords(schema, kKnown, where));
  std::optional<int64_t> least;
  std::optional<int64_t> most;
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == "type" || IsAnnotation(keyword)) continue;
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{1} << 62) &&
                      value.get<int64_t>() >= -(int64_t{1} << 62);
    if (!fits) {
      return SchemaError(
          where, fmt::format("{}: expected a whole number of at most 62 bits, found {}", keyword,
                             value.dump()));
    }
    const auto number = value.get<int64_t>();
    if (keyword == "minimum") least = std::max(least.value_or(number), number);
    if (keyword == "exclusiveMinimum") least = std::max(least.value_or(number + 1), number + 1);
    if (keyword == "maximum") most = std::min(most.value_or(number), number);
    if (keyword == "exclusiveMaximum") most = std::min(most.value_or(number - 1), number - 1);
  }
  if (!least && !most) return JsonInteger();
  if (least && most && *least > *most)
    return SchemaError(
        where,
        fmt::format("expected some integer between the limits, found {} to {}", *least, *most));
  return JsonIntegerRange(least ? &*least : nullptr, most ? &*most : nullptr);
}

Result<Expression> ConvertLiterals(const Json& schema, const std::string& where) {
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword != "const" && keyword != "enum" && keyword != "type" && !IsAnnotation(keyword))
      return UnsupportedKeyword(where, keyword);
  }
  if (schema.contains("const")) return Text(schema["const"].dump());
  std::vector<Expression> ways;
  if (!schema["enum"].is_array() || schema["enum"].empty())
    return SchemaError(where, "enum: expected a list of values");
  for (const Json& value : schema["enum"]) ways.push_back(Text(value.dump()));
  return Choice(std::move(ways));
}

}  // namespace headway::grammar
