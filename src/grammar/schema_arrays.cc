// What schemas say about arrays.

#include <fmt/format.h>

#include <utility>

#include "grammar/schema_errors.h"
#include "grammar/schema_reader.h"

namespace headway::grammar {
namespace {

Demand ItemDemand(Demand::Kind kind, const JsonValue& schema, size_t index,
                  const JsonValue* value) {
  Demand demand;
  demand.kind = kind;
  demand.from = &schema;
  demand.index = static_cast<int64_t>(index);
  demand.value.node = value;
  return demand;
}

}  // namespace

// prefixItems and items, or as it was before 2020-12: items and additionalItems.
Result<void> SchemaReader::ReadItems(const JsonValue& schema, bool tracking,
                                     std::vector<FormulaPointer>* parts) {
  constexpr size_t kMostPlaces = 1000;
  const JsonValue* first = Keyword(schema, "prefixItems");
  const JsonValue* rest = Keyword(schema, "items");
  const char* keyword = "prefixItems";
  if (first == nullptr && rest != nullptr && rest->Is(JsonValue::Kind::kArray)) {
    first = rest;
    rest = Keyword(schema, "additionalItems");
    keyword = "items";
  }
  size_t places = 0;
  if (first != nullptr) {
    if (!first->Is(JsonValue::Kind::kArray) || first->items.size() > kMostPlaces)
      return Wrong(schema, keyword, fmt::format("a list of at most {} schemas", kMostPlaces));
    for (const JsonValue& item : first->items)
      parts->push_back(Demanded(ItemDemand(Demand::Kind::kItem, schema, places++, &item)));
  }
  if (rest != nullptr)
    parts->push_back(Demanded(ItemDemand(Demand::Kind::kItemsFrom, schema, places, rest)));
  if (!tracking) return {};
  Demand evaluated = ItemDemand(Demand::Kind::kEvaluatedItems, schema, places, nullptr);
  if (rest != nullptr) evaluated.index = INT64_MAX;
  parts->push_back(Demanded(std::move(evaluated)));
  return {};
}

Result<FormulaPointer> SchemaReader::ReadArray(const JsonValue& schema, bool tracking) {
  std::vector<FormulaPointer> parts;
  HW_TRY_VOID(ReadItems(schema, tracking, &parts));
  Demand length = ItemDemand(Demand::Kind::kLength, schema, 0, nullptr);
  HW_TRY(const bool limited, Counts(schema, "minItems", "maxItems", &length));
  if (limited) parts.push_back(Demanded(std::move(length)));
  if (const JsonValue* contains = Keyword(schema, "contains")) {
    Demand some = ItemDemand(Demand::Kind::kSomeItems, schema, 0, contains);
    HW_TRY(some.least, Count(schema, "minContains", 1));
    HW_TRY(some.most, Count(schema, "maxContains", Expression::kNoLimit));
    if (some.most != Expression::kNoLimit && some.most < some.least) return False();
    if (some.least > 0 || some.most != Expression::kNoLimit)
      parts.push_back(Demanded(std::move(some)));
    if (tracking && document_->ContainsEvaluates())
      parts.push_back(Demanded(ItemDemand(Demand::Kind::kEvaluatedItems, schema, 0, contains)));
  }
  const JsonValue* unique = Keyword(schema, "uniqueItems");
  if (unique != nullptr && !unique->Is(JsonValue::Kind::kBoolean))
    return Wrong(schema, "uniqueItems", "true or false");
  if (unique != nullptr && unique->boolean)
    parts.push_back(Demanded(ItemDemand(Demand::Kind::kUnique, schema, 0, nullptr)));
  return All(std::move(parts));
}

}  // namespace headway::grammar
