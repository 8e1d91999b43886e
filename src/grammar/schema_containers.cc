// Arrays and objects.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "grammar/json_text.h"
#include "grammar/schema_converter.h"
#include "grammar/schema_scalars.h"

namespace headway::grammar {

// Exactly the items that the list under `keyword` describes, as in llama.cpp.
Result<Expression> SchemaConverter::ConvertTuple(const Json& schema, const char* keyword,
                                                 const std::string& where, int depth) {
  const Json& items = schema[keyword];
  for (const char* other : {"minItems", "maxItems", "items"}) {
    if (schema.contains(other) && std::string_view(other) != keyword && schema[other] != false &&
        schema[other] != items.size())
      return UnsupportedKeyword(where, other);
  }
  if (!items.is_array()) return SchemaError(where, "prefixItems: expected a list of schemas");
  std::vector<Expression> parts = {Text("["), JsonSpace()};
  for (size_t i = 0; i < items.size(); ++i) {
    HW_TRY(Expression item,
           Convert(items[i], fmt::format("{}/{}/{}", where, keyword, i), depth + 1));
    if (i > 0) parts.push_back(Sequence({Text(","), JsonSpace()}));
    parts.push_back(std::move(item));
  }
  parts.push_back(JsonSpace());
  parts.push_back(Text("]"));
  return Sequence(std::move(parts));
}

Result<Expression> SchemaConverter::ConvertArray(const Json& schema, const std::string& where,
                                                 int depth) {
  constexpr std::array<std::string_view, 5> kKnown = {"type", "items", "prefixItems", "minItems",
                                                      "maxItems"};
  HW_TRY_VOID(OnlyKeywords(schema, kKnown, where));
  if (schema.contains("prefixItems")) return ConvertTuple(schema, "prefixItems", where, depth);
  if (schema.contains("items") && schema["items"].is_array())
    return ConvertTuple(schema, "items", where, depth);
  HW_TRY(const SchemaCounts counts, CountsOf(schema, "minItems", "maxItems", where));
  const Json any = true;
  HW_TRY(Expression one,
         Convert(schema.contains("items") ? schema["items"] : any, where + "/items", depth + 1));
  const Expression item = Named(std::move(one));
  const bool no_limit = counts.most == Expression::kNoLimit;
  Expression more =
      Repeat(Sequence({Text(","), JsonSpace(), item}), std::max<int64_t>(counts.least - 1, 0),
             no_limit ? counts.most : std::max<int64_t>(counts.most - 1, 0));
  Expression items = Sequence({item, std::move(more)});
  if (counts.least == 0) items = Repeat(std::move(items), 0, 1);
  std::vector<Expression> parts = {Text("["), JsonSpace()};
  if (counts.most != 0) parts.push_back(std::move(items));
  parts.push_back(JsonSpace());
  parts.push_back(Text("]"));
  return Sequence(std::move(parts));
}

// Properties in the schema's order; those that are not required may be left out. Rule i covers
// what may come from property i on; "started": something came before, so that a comma is due.
Result<Expression> SchemaConverter::ConvertObject(const Json& schema, const std::string& where,
                                                  int depth) {
  constexpr std::array<std::string_view, 4> kKnown = {"type", "properties", "required",
                                                      "additionalProperties"};
  HW_TRY_VOID(OnlyKeywords(schema, kKnown, where));
  const Json properties = schema.value("properties", Json::object());
  const Json required = schema.value("required", Json::array());
  if (!properties.is_object()) return SchemaError(where, "properties: expected an object");
  if (!required.is_array()) return SchemaError(where, "required: expected a list of names");
  for (const Json& name : required) {
    if (!name.is_string() || !properties.contains(name.get<std::string>()))
      return SchemaError(
          where, fmt::format("required: expected names of properties, found {}", name.dump()));
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

}  // namespace headway::grammar
