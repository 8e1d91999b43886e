#include "grammar/schema_converter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "grammar/json_text.h"
#include "grammar/schema_scalars.h"

namespace headway::grammar {
namespace {

std::string RuleOf(const std::string& pointer) { return "schema " + pointer; }

// The part of a schema with several types that speaks about one of them.
Json OnlyFor(const Json& schema, const Json& type) {
  constexpr std::array<std::string_view, 4> kObject = {"properties", "required",
                                                       "additionalProperties", "x"};
  constexpr std::array<std::string_view, 4> kArray = {"items", "prefixItems", "minItems",
                                                      "maxItems"};
  constexpr std::array<std::string_view, 4> kString = {"minLength", "maxLength", "pattern",
                                                       "format"};
  constexpr std::array<std::string_view, 4> kNumber = {"minimum", "maximum", "exclusiveMinimum",
                                                       "exclusiveMaximum"};
  Json one = Json::object();
  for (const auto& [keyword, value] : schema.items()) {
    const bool number = type == "integer" || type == "number";
    if ((Holds(kObject, keyword) && type != "object") ||
        (Holds(kArray, keyword) && type != "array") ||
        (Holds(kString, keyword) && type != "string") || (Holds(kNumber, keyword) && !number))
      continue;
    one[keyword] = value;
  }
  one["type"] = type;
  return one;
}

}  // namespace

SchemaConverter::SchemaConverter(Json schema) : document_(std::move(schema)) {}

Result<Rules> SchemaConverter::Run() {
  AddJsonValueRules(&rules_);
  // "#" may be referred to, so the whole is a rule of its own.
  HW_TRY_VOID(Refer("#", "#"));
  while (!pending_.empty()) {
    const std::string pointer = pending_.back();
    pending_.pop_back();
    const Json* schema = Resolve(pointer);
    HW_TRY(Expression body, Convert(*schema, pointer, 0));
    rules_[RuleOf(pointer)] = std::move(body);
  }
  rules_["root"] = Rule(RuleOf("#"));
  return std::move(rules_);
}

// "#/a/b~1c": keys with ~1 for / and ~0 for ~, indices in arrays. Null when there is none.
const Json* SchemaConverter::Resolve(const std::string& pointer) const {
  const Json* at = &document_;
  if (pointer.empty() || pointer.front() != '#') return nullptr;
  for (size_t begin = 1; begin < pointer.size();) {
    if (pointer[begin] != '/') return nullptr;
    const size_t end = std::min(pointer.find('/', begin + 1), pointer.size());
    std::string key;
    for (size_t i = begin + 1; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      key += escape ? (pointer[i + 1] == '1' ? '/' : '~') : pointer[i];
      i += escape ? 1 : 0;
    }
    begin = end;
    if (at->is_object() && at->contains(key)) {
      at = &(*at)[key];
    } else if (at->is_array() && !key.empty() && key.size() < 7 &&
               key.find_first_not_of("0123456789") == std::string::npos &&
               std::stoul(key) < at->size()) {
      at = &(*at)[std::stoul(key)];
    } else {
      return nullptr;
    }
  }
  return at;
}

// As a rule of its own, for what is used more than once: copies inside copies would double with
// every level.
Expression SchemaConverter::Named(Expression e) {
  if (e.kind == Expression::Kind::kRule) return e;
  std::string rule = fmt::format("part {}", num_parts_++);
  rules_[rule] = std::move(e);
  return Rule(std::move(rule));
}

Result<Expression> SchemaConverter::Refer(const std::string& pointer, const std::string& where) {
  if (Resolve(pointer) == nullptr) {
    return SchemaError(
        where, fmt::format("$ref: expected a place in this schema (#/...), found '{}'", pointer));
  }
  const std::string rule = RuleOf(pointer);
  if (rules_.emplace(rule, Expression{}).second) pending_.push_back(pointer);
  return Rule(rule);
}

Result<Expression> SchemaConverter::Convert(const Json& schema, const std::string& where,
                                            int depth) {
  if (depth > kDeepest)
    return SchemaError(where, fmt::format("expected at most {} nested schemas", kDeepest));
  if (schema.is_boolean() && schema.get<bool>()) return JsonValue();
  if (!schema.is_object()) {
    return SchemaError(where, fmt::format("expected a schema, found {}",
                                          schema.is_boolean() ? "false, which allows nothing"
                                                              : schema.type_name()));
  }
  constexpr std::array<std::string_view, 1> kRef = {"$ref"};
  if (schema.contains("$ref")) {
    HW_TRY_VOID(OnlyKeywords(schema, kRef, where));
    if (!schema["$ref"].is_string()) return SchemaError(where, "$ref: expected a text");
    return Refer(schema["$ref"].get<std::string>(), where);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (schema.contains(keyword)) return ConvertAnyOf(schema, keyword, where, depth);
  }
  if (schema.contains("allOf")) return ConvertAllOf(schema, where, depth);
  if (schema.contains("const") || schema.contains("enum")) return ConvertLiterals(schema, where);
  if (schema.contains("type") && schema["type"].is_array()) {
    std::vector<Expression> ways;
    for (const Json& type : schema["type"]) {
      Json one = OnlyFor(schema, type);
      HW_TRY(Expression way, ConvertTyped(one, where, depth));
      ways.push_back(std::move(way));
    }
    if (ways.empty()) return SchemaError(where, "type: expected at least one");
    return Choice(std::move(ways));
  }
  return ConvertTyped(schema, where, depth);
}

Result<Expression> SchemaConverter::ConvertAnyOf(const Json& schema, const char* keyword,
                                                 const std::string& where, int depth) {
  const std::array<std::string_view, 1> known = {keyword};
  HW_TRY_VOID(OnlyKeywords(schema, known, where));
  const Json& list = schema[keyword];
  if (!list.is_array() || list.empty())
    return SchemaError(where, fmt::format("{}: expected a list of schemas", keyword));
  std::vector<Expression> ways;
  for (size_t i = 0; i < list.size(); ++i) {
    HW_TRY(Expression way, Convert(list[i], fmt::format("{}/{}/{}", where, keyword, i), depth + 1));
    ways.push_back(std::move(way));
  }
  return Choice(std::move(ways));
}

// Of objects: all their properties together. Of one schema: that schema.
Result<Expression> SchemaConverter::ConvertAllOf(const Json& schema, const std::string& where,
                                                 int depth) {
  const Json& list = schema["allOf"];
  if (!list.is_array() || list.empty())
    return SchemaError(where, "allOf: expected a list of schemas");
  Json merged = schema;
  merged.erase("allOf");
  if (list.size() == 1 && !merged.contains("properties")) {
    constexpr std::array<std::string_view, 2> kKnown = {"allOf", "type"};
    HW_TRY_VOID(OnlyKeywords(schema, kKnown, where));
    return Convert(list[0], where + "/allOf/0", depth + 1);
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}/allOf/{}", where, i);
    const Json* part = &list[i];
    for (int hops = 0; part->is_object() && part->contains("$ref"); ++hops) {
      const Json& target = (*part)["$ref"];
      const Json* next = target.is_string() ? Resolve(target.get<std::string>()) : nullptr;
      if (next == nullptr || hops > kDeepest)
        return SchemaError(place, "$ref: expected a place in this schema (#/...)");
      part = next;
    }
    if (!part->is_object()) return SchemaError(place, "expected a schema of an object");
    constexpr std::array<std::string_view, 4> kKnown = {"type", "properties", "required",
                                                        "additionalProperties"};
    HW_TRY_VOID(OnlyKeywords(*part, kKnown, place));
    if (part->value("type", Json("object")) != "object")
      return SchemaError(place, "allOf: expected schemas of objects", ErrorCode::kUnsupported);
    merged["type"] = "object";
    const Json properties = part->value("properties", Json::object());
    const Json required = part->value("required", Json::array());
    for (const auto& [name, value] : properties.items()) merged["properties"][name] = value;
    for (const Json& name : required) merged["required"].push_back(name);
  }
  return ConvertTyped(merged, where, depth + 1);
}

Result<Expression> SchemaConverter::ConvertTyped(const Json& schema, const std::string& where,
                                                 int depth) {
  std::string type;
  if (schema.contains("type")) {
    if (!schema["type"].is_string()) return SchemaError(where, "type: expected a name");
    type = schema["type"].get<std::string>();
  } else if (schema.contains("properties") || schema.contains("additionalProperties") ||
             schema.contains("required")) {
    type = "object";
  } else if (schema.contains("items") || schema.contains("prefixItems")) {
    type = "array";
  } else if (schema.contains("pattern") || schema.contains("minLength") ||
             schema.contains("maxLength") || schema.contains("format")) {
    type = "string";
  }
  constexpr std::array<std::string_view, 1> kNothing = {"type"};
  if (type == "object") return ConvertObject(schema, where, depth);
  if (type == "array") return ConvertArray(schema, where, depth);
  if (type == "string") return ConvertString(schema, where);
  if (type == "integer") return ConvertInteger(schema, where);
  HW_TRY_VOID(OnlyKeywords(schema, kNothing, where));
  if (type.empty()) return JsonValue();
  if (type == "number") return Rule("number");
  if (type == "boolean") return Choice({Text("true"), Text("false")});
  if (type == "null") return Text("null");
  return SchemaError(where,
                     fmt::format("type: expected object, array, string, number, integer, boolean "
                                 "or null, found '{}'",
                                 type));
}

}  // namespace headway::grammar
