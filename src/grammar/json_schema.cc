#include "grammar/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/json_text.h"
#include "grammar/pattern.h"

namespace headway::grammar {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 100;
constexpr int64_t kMostCount = 10000;

// Say nothing about the text.
constexpr std::array<std::string_view, 16> kAnnotations = {
    "title",       "description",      "default",         "examples",     "$schema",    "$id",
    "id",          "$comment",         "readOnly",        "writeOnly",    "deprecated", "$defs",
    "definitions", "contentMediaType", "contentEncoding", "discriminator"};

template <size_t kCount>
bool Holds(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class SchemaConverter {
 public:
  explicit SchemaConverter(Json schema) : document_(std::move(schema)) {}

  Result<Rules> Run() {
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

 private:
  static std::string RuleOf(const std::string& pointer) { return "schema " + pointer; }

  static tl::unexpected<Error> Wrong(const std::string& where, const std::string& what,
                                     ErrorCode code = ErrorCode::kInvalidInput) {
    return Fail(code, fmt::format("{}: {}", where, what));
  }
  static tl::unexpected<Error> Unsupported(const std::string& where, const std::string& keyword) {
    return Wrong(where,
                 fmt::format("expected keywords that a grammar can express, found '{}'", keyword),
                 ErrorCode::kUnsupported);
  }

  // Every keyword must be an annotation or one of `known`.
  template <size_t kCount>
  Result<void> Only(const Json& schema, const std::array<std::string_view, kCount>& known,
                    const std::string& where) {
    for (const auto& [keyword, value] : schema.items()) {
      if (!Holds(kAnnotations, keyword) && !Holds(known, keyword))
        return Unsupported(where, keyword);
    }
    return {};
  }

  // "#/a/b~1c": keys with ~1 for / and ~0 for ~, indices in arrays. Null when there is none.
  const Json* Resolve(const std::string& pointer) const {
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
  Expression Named(Expression e) {
    if (e.kind == Expression::Kind::kRule) return e;
    std::string rule = fmt::format("part {}", num_parts_++);
    rules_[rule] = std::move(e);
    return Rule(std::move(rule));
  }

  Result<Expression> Refer(const std::string& pointer, const std::string& where) {
    if (Resolve(pointer) == nullptr) {
      return Wrong(
          where, fmt::format("$ref: expected a place in this schema (#/...), found '{}'", pointer));
    }
    const std::string rule = RuleOf(pointer);
    if (rules_.emplace(rule, Expression{}).second) pending_.push_back(pointer);
    return Rule(rule);
  }

  Result<Expression> Convert(const Json& schema, const std::string& where, int depth) {
    if (depth > kDeepest)
      return Wrong(where, fmt::format("expected at most {} nested schemas", kDeepest));
    if (schema.is_boolean() && schema.get<bool>()) return JsonValue();
    if (!schema.is_object()) {
      return Wrong(where, fmt::format("expected a schema, found {}",
                                      schema.is_boolean() ? "false, which allows nothing"
                                                          : schema.type_name()));
    }
    constexpr std::array<std::string_view, 1> kRef = {"$ref"};
    if (schema.contains("$ref")) {
      HW_TRY_VOID(Only(schema, kRef, where));
      if (!schema["$ref"].is_string()) return Wrong(where, "$ref: expected a text");
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
      if (ways.empty()) return Wrong(where, "type: expected at least one");
      return Choice(std::move(ways));
    }
    return ConvertTyped(schema, where, depth);
  }

  Result<Expression> ConvertAnyOf(const Json& schema, const char* keyword, const std::string& where,
                                  int depth) {
    const std::array<std::string_view, 1> known = {keyword};
    HW_TRY_VOID(Only(schema, known, where));
    const Json& list = schema[keyword];
    if (!list.is_array() || list.empty())
      return Wrong(where, fmt::format("{}: expected a list of schemas", keyword));
    std::vector<Expression> ways;
    for (size_t i = 0; i < list.size(); ++i) {
      HW_TRY(Expression way,
             Convert(list[i], fmt::format("{}/{}/{}", where, keyword, i), depth + 1));
      ways.push_back(std::move(way));
    }
    return Choice(std::move(ways));
  }

  // Of objects: all their properties together. Of one schema: that schema.
  Result<Expression> ConvertAllOf(const Json& schema, const std::string& where, int depth) {
    const Json& list = schema["allOf"];
    if (!list.is_array() || list.empty()) return Wrong(where, "allOf: expected a list of schemas");
    Json merged = schema;
    merged.erase("allOf");
    if (list.size() == 1 && !merged.contains("properties")) {
      constexpr std::array<std::string_view, 2> kKnown = {"allOf", "type"};
      HW_TRY_VOID(Only(schema, kKnown, where));
      return Convert(list[0], where + "/allOf/0", depth + 1);
    }
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string place = fmt::format("{}/allOf/{}", where, i);
      const Json* part = &list[i];
      for (int hops = 0; part->is_object() && part->contains("$ref"); ++hops) {
        const Json& target = (*part)["$ref"];
        const Json* next = target.is_string() ? Resolve(target.get<std::string>()) : nullptr;
        if (next == nullptr || hops > kDeepest)
          return Wrong(place, "$ref: expected a place in this schema (#/...)");
        part = next;
      }
      if (!part->is_object()) return Wrong(place, "expected a schema of an object");
      constexpr std::array<std::string_view, 4> kKnown = {"type", "properties", "required",
                                                          "additionalProperties"};
      HW_TRY_VOID(Only(*part, kKnown, place));
      if (part->value("type", Json("object")) != "object")
        return Wrong(place, "allOf: expected schemas of objects", ErrorCode::kUnsupported);
      merged["type"] = "object";
      const Json properties = part->value("properties", Json::object());
      const Json required = part->value("required", Json::array());
      for (const auto& [name, value] : properties.items()) merged["properties"][name] = value;
      for (const Json& name : required) merged["required"].push_back(name);
    }
    return ConvertTyped(merged, where, depth + 1);
  }

  static Result<Expression> ConvertLiterals(const Json& schema, const std::string& where) {
    for (const auto& [keyword, value] : schema.items()) {
      if (keyword != "const" && keyword != "enum" && keyword != "type" &&
          !Holds(kAnnotations, keyword))
        return Unsupported(where, keyword);
    }
    if (schema.contains("const")) return Text(schema["const"].dump());
    std::vector<Expression> ways;
    if (!schema["enum"].is_array() || schema["enum"].empty())
      return Wrong(where, "enum: expected a list of values");
    for (const Json& value : schema["enum"]) ways.push_back(Text(value.dump()));
    return Choice(std::move(ways));
  }

  // The part of a schema with several types that speaks about one of them.
  static Json OnlyFor(const Json& schema, const Json& type) {
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

  Result<Expression> ConvertTyped(const Json& schema, const std::string& where, int depth) {
    std::string type;
    if (schema.contains("type")) {
      if (!schema["type"].is_string()) return Wrong(where, "type: expected a name");
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
    HW_TRY_VOID(Only(schema, kNothing, where));
    if (type.empty()) return JsonValue();
    if (type == "number") return Rule("number");
    if (type == "boolean") return Choice({Text("true"), Text("false")});
    if (type == "null") return Text("null");
    return Wrong(where,
                 fmt::format("type: expected object, array, string, number, integer, boolean "
                             "or null, found '{}'",
                             type));
  }

  // A count of items or characters.
  Result<int64_t> Count(const Json& schema, const char* keyword, int64_t otherwise,
                        const std::string& where) const {
    if (!schema.contains(keyword)) return otherwise;
    const Json& value = schema[keyword];
    if (value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(kMostCount))
      return value.get<int64_t>();
    return Wrong(where, fmt::format("{}: expected a whole number from 0 to {}, found {}", keyword,
                                    kMostCount, value.dump()));
  }

  struct Counts {
    int64_t least = 0;
    int64_t most = Expression::kNoLimit;
  };
  Result<Counts> CountsOf(const Json& schema, const char* least, const char* most,
                          const std::string& where) const {
    Counts counts;
    HW_TRY(counts.least, Count(schema, least, 0, where));
    HW_TRY(counts.most, Count(schema, most, Expression::kNoLimit, where));
    if (counts.most != Expression::kNoLimit && counts.most < counts.least)
      return Wrong(where, fmt::format("{}: expected at least {}, found {}", most, counts.least,
                                      counts.most));
    return counts;
  }

  Result<Expression> ConvertString(const Json& schema, const std::string& where) const {
    for (const auto& [keyword, value] : schema.items()) {
      const bool form = keyword == "pattern" || keyword == "format";
      const bool length = keyword == "minLength" || keyword == "maxLength";
      const bool clash = form && (schema.contains("minLength") || schema.contains("maxLength") ||
                                  (schema.contains("pattern") && schema.contains("format")));
      if ((!form && !length && keyword != "type" && !Holds(kAnnotations, keyword)) || clash)
        return Unsupported(where, clash ? std::string(keyword).append(
                                              "' beside other limits of the string, '") += keyword
                                        : keyword);
      if (form && !value.is_string()) return Wrong(where, keyword + ": expected a text");
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
      return Wrong(
          where, fmt::format("format: expected date, time, date-time or uuid, found '{}'", format),
          ErrorCode::kUnsupported);
    }
    HW_TRY(const Counts counts, CountsOf(schema, "minLength", "maxLength", where));
    if (counts.least == 0 && counts.most == Expression::kNoLimit) return Rule("string");
    return JsonString(counts.least, counts.most);
  }

  Result<Expression> ConvertInteger(const Json& schema, const std::string& where) {
    constexpr std::array<std::string_view, 5> kKnown = {"type", "minimum", "maximum",
                                                        "exclusiveMinimum", "exclusiveMaximum"};
    HW_TRY_VOID(Only(schema, kKnown, where));
    std::optional<int64_t> least;
    std::optional<int64_t> most;
    for (const auto& [keyword, value] : schema.items()) {
      if (keyword == "type" || Holds(kAnnotations, keyword)) continue;
      const bool fits =
          value.is_number_integer() &&
          !(value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{1} << 62) &&
          value.get<int64_t>() >= -(int64_t{1} << 62);
      if (!fits) {
        return Wrong(where, fmt::format("{}: expected a whole number of at most 62 bits, found {}",
                                        keyword, value.dump()));
      }
      const auto number = value.get<int64_t>();
      if (keyword == "minimum") least = std::max(least.value_or(number), number);
      if (keyword == "exclusiveMinimum") least = std::max(least.value_or(number + 1), number + 1);
      if (keyword == "maximum") most = std::min(most.value_or(number), number);
      if (keyword == "exclusiveMaximum") most = std::min(most.value_or(number - 1), number - 1);
    }
    if (!least && !most) return JsonInteger();
    if (least && most && *least > *most)
      return Wrong(where, fmt::format("expected some integer between the limits, found {} to {}",
                                      *least, *most));
    return JsonIntegerRange(least ? &*least : nullptr, most ? &*most : nullptr);
  }

  Result<Expression> ConvertArray(const Json& schema, const std::string& where, int depth) {
    constexpr std::array<std::string_view, 5> kKnown = {"type", "items", "prefixItems", "minItems",
                                                        "maxItems"};
    HW_TRY_VOID(Only(schema, kKnown, where));
    const char* tuple = schema.contains("prefixItems")                           ? "prefixItems"
                        : schema.contains("items") && schema["items"].is_array() ? "items"
                                                                                 : nullptr;
    const Expression comma = Sequence({Text(","), JsonSpace()});
    std::vector<Expression> parts = {Text("["), JsonSpace()};
    if (tuple != nullptr) {
      // Exactly these items, as in llama.cpp.
      for (const char* keyword : {"minItems", "maxItems", "items"}) {
        if (schema.contains(keyword) && std::string_view(keyword) != tuple &&
            schema[keyword] != false && schema[keyword] != schema[tuple].size())
          return Unsupported(where, keyword);
      }
      if (!schema[tuple].is_array()) return Wrong(where, "prefixItems: expected a list of schemas");
      for (size_t i = 0; i < schema[tuple].size(); ++i) {
        HW_TRY(Expression item,
               Convert(schema[tuple][i], fmt::format("{}/{}/{}", where, tuple, i), depth + 1));
        if (i > 0) parts.push_back(comma);
        parts.push_back(std::move(item));
      }
    } else {
      HW_TRY(const Counts counts, CountsOf(schema, "minItems", "maxItems", where));
      const Json any = true;
      HW_TRY(Expression one, Convert(schema.contains("items") ? schema["items"] : any,
                                     where + "/items", depth + 1));
      const Expression item = Named(std::move(one));
      const bool no_limit = counts.most == Expression::kNoLimit;
      Expression more = Repeat(Sequence({comma, item}), std::max<int64_t>(counts.least - 1, 0),
                               no_limit ? counts.most : std::max<int64_t>(counts.most - 1, 0));
      Expression items = Sequence({item, std::move(more)});
      if (counts.most != 0)
        parts.push_back(counts.least == 0 ? Repeat(std::move(items), 0, 1) : std::move(items));
    }
    parts.push_back(JsonSpace());
    parts.push_back(Text("]"));
    return Sequence(std::move(parts));
  }

  // Properties in the schema's order; those that are not required may be left out. Rule i covers
  // what may come from property i on; "started": something came before, so that a comma is due.
  Result<Expression> ConvertObject(const Json& schema, const std::string& where, int depth) {
    constexpr std::array<std::string_view, 4> kKnown = {"type", "properties", "required",
                                                        "additionalProperties"};
    HW_TRY_VOID(Only(schema, kKnown, where));
    const Json properties = schema.value("properties", Json::object());
    const Json required = schema.value("required", Json::array());
    if (!properties.is_object()) return Wrong(where, "properties: expected an object");
    if (!required.is_array()) return Wrong(where, "required: expected a list of names");
    for (const Json& name : required) {
      if (!name.is_string() || !properties.contains(name.get<std::string>()))
        return Wrong(where,
                     fmt::format("required: expected names of properties, found {}", name.dump()));
    }
    const bool bare = !schema.contains("properties");
    const Json additional =
        schema.contains("additionalProperties") ? schema["additionalProperties"] : Json(bare);
    if (bare && additional == true) return Rule("object");

    const Expression colon = Sequence({JsonSpace(), Text(":"), JsonSpace()});
    const Expression comma = Sequence({Text(","), JsonSpace()});
    std::vector<std::string> names;
    std::vector<Expression> pairs;
    for (const auto& [name, value] : properties.items()) {
      HW_TRY(Expression body,
             Convert(value, fmt::format("{}/properties/{}", where, name), depth + 1));
      names.push_back(name);
      pairs.push_back(Named(Sequence({Text(Json(name).dump()), colon, std::move(body)})));
    }
    Expression rest;           // after the last property, when something came before
    Expression rest_at_first;  // when nothing did
    if (additional != false) {
      HW_TRY(Expression body, Convert(additional, where + "/additionalProperties", depth + 1));
      const Expression pair = Named(Sequence({JsonStringExcept(names), colon, std::move(body)}));
      rest = Repeat(Sequence({comma, pair}), 0, Expression::kNoLimit);
      rest_at_first = Repeat(Sequence({pair, rest}), 0, 1);
    }
    const std::string rule = fmt::format("object {}", num_objects_++);
    const auto rule_at = [&](size_t i, bool started) {
      return fmt::format("{} from {}{}", rule, i, started ? " on" : "");
    };
    rules_[rule_at(names.size(), true)] = std::move(rest);
    rules_[rule_at(names.size(), false)] = std::move(rest_at_first);
    for (size_t i = 0; i < names.size(); ++i) {
      const bool is_required =
          std::find(required.begin(), required.end(), names[i]) != required.end();
      const Expression then = Rule(rule_at(i + 1, true));
      Expression first = Sequence({pairs[i], then});
      Expression later = Sequence({comma, pairs[i], then});
      if (!is_required) {
        first = Choice({std::move(first), Rule(rule_at(i + 1, false))});
        later = Choice({std::move(later), Rule(rule_at(i + 1, true))});
      }
      rules_[rule_at(i, false)] = std::move(first);
      rules_[rule_at(i, true)] = std::move(later);
    }
    return Sequence({Text("{"), JsonSpace(), Rule(rule_at(0, false)), JsonSpace(), Text("}")});
  }

  const Json document_;
  Rules rules_;
  std::vector<std::string> pending_;  // places that were referred to and are not yet rules
  int num_objects_ = 0;
  int num_parts_ = 0;
};

}  // namespace

Result<Rules> ParseJsonSchema(std::string_view json) {
  if (JsonNesting(json) > 4 * kDeepest) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected JSON of at most {} levels, found more", 4 * kDeepest));
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
