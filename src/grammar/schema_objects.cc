// What schemas say about objects.

#include <fmt/format.h>

#include <utility>

#include "grammar/pattern.h"
#include "grammar/schema_errors.h"
#include "grammar/schema_reader.h"

namespace headway::grammar {
namespace {

Demand Of(Demand::Kind kind, const JsonValue& schema) {
  Demand demand;
  demand.kind = kind;
  demand.from = &schema;
  return demand;
}

FormulaPointer Required(const std::string& name, const JsonValue& schema) {
  Demand demand = Of(Demand::Kind::kRequired, schema);
  demand.name = name;
  return Demanded(std::move(demand));
}

FormulaPointer Absent(const std::string& name, const JsonValue& schema) {
  Demand demand = Of(Demand::Kind::kProperty, schema);
  demand.name = name;
  demand.value = kNoValue;
  return Demanded(std::move(demand));
}

FormulaPointer Evaluated(const DfaPointer& names, const JsonValue& schema) {
  Demand demand = Of(Demand::Kind::kEvaluatedNames, schema);
  demand.names = names;
  return Demanded(std::move(demand));
}

}  // namespace

Result<DfaPointer> SchemaReader::Pattern(const JsonValue& schema, const std::string& pattern) {
  if (const auto known = patterns_.find(pattern); known != patterns_.end()) return known->second;
  auto texts = TextsMatching(pattern);
  if (!texts) return Prefixed(texts.error(), Place(schema) + ": pattern");
  patterns_.emplace(pattern, *texts);
  return *texts;
}

Result<void> SchemaReader::ReadProperties(const JsonValue& schema, bool tracking,
                                          std::vector<FormulaPointer>* parts) {
  HW_TRY(const JsonValue* properties, Map(schema, "properties"));
  HW_TRY(const JsonValue* patterns, Map(schema, "patternProperties"));
  DfaPointer known = NoText();
  if (properties != nullptr) {
    known = Words(properties->names);
    for (size_t i = 0; i < properties->names.size(); ++i) {
      Demand demand = Of(Demand::Kind::kProperty, schema);
      demand.name = properties->names[i];
      demand.value.node = &properties->items[i];
      parts->push_back(Demanded(std::move(demand)));
    }
  }
  for (size_t i = 0; patterns != nullptr && i < patterns->names.size(); ++i) {
    Demand demand = Of(Demand::Kind::kOthers, schema);
    HW_TRY(demand.names, Pattern(schema, patterns->names[i]));
    demand.value.node = &patterns->items[i];
    HW_TRY(known, Combine(known, demand.names, kOr));
    parts->push_back(Demanded(std::move(demand)));
  }
  if (const JsonValue* others = Keyword(schema, "additionalProperties")) {
    Demand demand = Of(Demand::Kind::kOthers, schema);
    HW_TRY(demand.names, Combine(AnyText(), known, kWithout));
    demand.value.node = others;
    parts->push_back(Demanded(std::move(demand)));
    known = AnyText();
  }
  if (tracking) parts->push_back(Evaluated(known, schema));
  return {};
}

// dependentRequired, dependentSchemas and what both were called before.
Result<void> SchemaReader::ReadDependencies(const JsonValue& schema, bool tracking,
                                            std::vector<FormulaPointer>* parts) {
  for (const char* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    HW_TRY(const JsonValue* map, Map(schema, keyword));
    for (size_t i = 0; map != nullptr && i < map->names.size(); ++i) {
      std::vector<FormulaPointer> then = {Required(map->names[i], schema)};
      if (map->items[i].Is(JsonValue::Kind::kArray)) {
        HW_TRY(const auto names, Names(schema, map->items[i], keyword));
        for (const std::string& name : names) then.push_back(Required(name, schema));
      } else {
        HW_TRY(FormulaPointer part, ReadSchema(map->items[i], Side::kObject, tracking));
        then.push_back(std::move(part));
      }
      parts->push_back(Any({Absent(map->names[i], schema), All(std::move(then))}));
    }
  }
  return {};
}

Result<FormulaPointer> SchemaReader::ReadObject(const JsonValue& schema, bool tracking) {
  std::vector<FormulaPointer> parts;
  HW_TRY_VOID(ReadProperties(schema, tracking, &parts));
  const JsonValue* required = Keyword(schema, "required");
  // Draft 3 had "required": true in the property itself; no later draft knows it.
  if (required != nullptr) {
    HW_TRY(const auto names, Names(schema, *required, "required"));
    for (const std::string& name : names) parts.push_back(Required(name, schema));
  }
  Demand count = Of(Demand::Kind::kPropertyCount, schema);
  HW_TRY(const bool counts, Counts(schema, "minProperties", "maxProperties", &count));
  if (counts) parts.push_back(Demanded(std::move(count)));
  if (const JsonValue* names = Keyword(schema, "propertyNames")) {
    HW_TRY(const ScalarSet others, Scalars({names, false, true}));
    Demand demand = Of(Demand::Kind::kOthers, schema);
    demand.names = others.strings;
    demand.value = kNoValue;
    if (!demand.names->IsEmpty()) parts.push_back(Demanded(std::move(demand)));
  }
  HW_TRY_VOID(ReadDependencies(schema, tracking, &parts));
  return All(std::move(parts));
}

FormulaPointer SchemaReader::ReadLiteral(const JsonValue& value, Side side) {
  std::vector<FormulaPointer> parts;
  if (side == Side::kArray) {
    if (!value.Is(JsonValue::Kind::kArray)) return False();
    Demand length = Of(Demand::Kind::kLength, value);
    length.least = length.most = static_cast<int64_t>(value.items.size());
    parts.push_back(Demanded(length));
    for (size_t i = 0; i < value.items.size(); ++i) {
      Demand item = Of(Demand::Kind::kItem, value);
      item.index = static_cast<int64_t>(i);
      item.value = {&value.items[i], true, false};
      parts.push_back(Demanded(std::move(item)));
    }
    return All(std::move(parts));
  }
  if (!value.Is(JsonValue::Kind::kObject)) return False();
  for (size_t i = 0; i < value.names.size(); ++i) {
    Demand property = Of(Demand::Kind::kProperty, value);
    property.name = value.names[i];
    property.value = {&value.items[i], true, false};
    parts.push_back(Demanded(std::move(property)));
    parts.push_back(Required(value.names[i], value));
  }
  Demand count = Of(Demand::Kind::kPropertyCount, value);
  count.least = count.most = static_cast<int64_t>(value.names.size());
  count.listed = value.names;
  parts.push_back(Demanded(std::move(count)));
  return All(std::move(parts));
}

Result<FormulaPointer> SchemaReader::ReadUnevaluated(const JsonValue& schema,
                                                     const FormulaPointer& others, Side side,
                                                     const JsonValue& value) {
  constexpr int64_t kAllItems = INT64_MAX;
  HW_TRY(const std::vector<Demands> ways, WaysOf(*others));
  std::vector<FormulaPointer> formulas;
  for (const Demands& way : ways) {
    std::vector<FormulaPointer> parts;
    DfaPointer names = NoText();
    int64_t items = 0;
    for (const Demand* demand : way) {
      if (demand->kind == Demand::Kind::kEvaluatedNames) {
        HW_TRY(names, Combine(names, demand->names, kOr));
      } else if (demand->kind == Demand::Kind::kEvaluatedItems) {
        if (demand->value.node != nullptr)
          return UnsupportedKeyword(Place(schema), "unevaluatedItems' beside 'contains");
        items = std::max(items, demand->index);
      } else {
        parts.push_back(Demanded(*demand));
      }
    }
    Demand rest =
        Of(side == Side::kObject ? Demand::Kind::kOthers : Demand::Kind::kItemsFrom, schema);
    rest.value.node = &value;
    rest.index = items;
    HW_TRY(rest.names, Combine(AnyText(), names, kWithout));
    const bool left = side == Side::kObject ? !rest.names->IsEmpty() : items != kAllItems;
    if (left) parts.push_back(Demanded(std::move(rest)));
    // For a schema around this one everything was looked at now.
    Demand all =
        Of(side == Side::kObject ? Demand::Kind::kEvaluatedNames : Demand::Kind::kEvaluatedItems,
           schema);
    all.names = AnyText();
    all.index = kAllItems;
    parts.push_back(Demanded(std::move(all)));
    formulas.push_back(All(std::move(parts)));
  }
  return Any(std::move(formulas));
}

}  // namespace headway::grammar
