#include "grammar/schema_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "grammar/schema_errors.h"

namespace headway::grammar {
namespace {

constexpr int64_t kMostCount = 100000;
constexpr std::array<std::string_view, 7> kTypes = {"object",  "array",   "string", "number",
                                                    "integer", "boolean", "null"};

std::string_view NameOf(SchemaReader::Side side) {
  return side == SchemaReader::Side::kObject ? "object" : "array";
}

}  // namespace

tl::unexpected<Error> SchemaReader::Wrong(const JsonValue& schema, std::string_view keyword,
                                          std::string_view expected) const {
  const JsonValue* value = schema.Find(keyword);
  return SchemaError(Place(schema), fmt::format("{}: expected {}, found {}", keyword, expected,
                                                value == nullptr ? "none" : Shown(*value)));
}

tl::unexpected<Error> SchemaReader::Endless(const std::string& place) {
  return SchemaError(place,
                     "expected a schema of some finite text, found one that is defined by "
                     "itself alone ($ref)",
                     ErrorCode::kUnsupported);
}

Result<int64_t> SchemaReader::Count(const JsonValue& schema, const char* keyword,
                                    int64_t otherwise) const {
  const JsonValue* value = Keyword(schema, keyword);
  if (value == nullptr) return otherwise;
  const std::string expected = fmt::format("a whole number from 0 to {}", kMostCount);
  if (!value->Is(JsonValue::Kind::kNumber)) return Wrong(schema, keyword, expected);
  const auto number = ParseDecimal(value->text);
  if (!number || !number->IsInteger() || number->negative || number->point > 6)
    return Wrong(schema, keyword, expected);
  const int64_t count = number->IsZero() ? 0 : std::stoll(number->Whole());
  if (count > kMostCount) return Wrong(schema, keyword, expected);
  return count;
}

Result<bool> SchemaReader::Counts(const JsonValue& schema, const char* least, const char* most,
                                  Demand* demand) const {
  HW_TRY(demand->least, Count(schema, least, 0));
  HW_TRY(demand->most, Count(schema, most, Expression::kNoLimit));
  demand->from = &schema;
  return Keyword(schema, least) != nullptr || Keyword(schema, most) != nullptr;
}

Result<const JsonValue*> SchemaReader::List(const JsonValue& schema, const char* keyword) const {
  const JsonValue* list = Keyword(schema, keyword);
  const bool is_enum = std::string_view(keyword) == "enum";
  if (!list->Is(JsonValue::Kind::kArray) || (list->items.empty() && !is_enum))
    return Wrong(schema, keyword, is_enum ? "a list of values" : "a list of schemas");
  return list;
}

Result<const JsonValue*> SchemaReader::Map(const JsonValue& schema, const char* keyword) const {
  const JsonValue* map = Keyword(schema, keyword);
  if (map != nullptr && !map->Is(JsonValue::Kind::kObject))
    return Wrong(schema, keyword, "an object");
  return map;
}

Result<std::vector<std::string>> SchemaReader::Names(const JsonValue& schema, const JsonValue& list,
                                                     const char* keyword) const {
  std::vector<std::string> names;
  bool all_texts = list.Is(JsonValue::Kind::kArray);
  for (const JsonValue& name : list.items) {
    all_texts = all_texts && name.Is(JsonValue::Kind::kString);
    names.push_back(name.text);
  }
  if (!all_texts) return Wrong(schema, keyword, "a list of names");
  return names;
}

Result<bool> SchemaReader::HasType(const JsonValue& schema, std::string_view type) const {
  const JsonValue* value = Keyword(schema, "type");
  if (value == nullptr) return true;
  std::vector<std::string> names;
  if (value->Is(JsonValue::Kind::kString)) {
    names.push_back(value->text);
  } else if (value->Is(JsonValue::Kind::kArray)) {
    HW_TRY(names, Names(schema, *value, "type"));
  }
  if (names.empty()) return Wrong(schema, "type", "a name or several");
  for (const std::string& name : names) {
    if (std::find(kTypes.begin(), kTypes.end(), name) == kTypes.end())
      return SchemaError(Place(schema),
                         fmt::format("type: expected object, array, string, number, integer, "
                                     "boolean or null, found '{}'",
                                     name));
  }
  return std::find(names.begin(), names.end(), type) != names.end();
}

Result<std::vector<const JsonValue*>> SchemaReader::References(const JsonValue& schema) {
  std::vector<const JsonValue*> targets;
  for (const char* keyword : {"$ref", "$dynamicRef", "$recursiveRef"}) {
    const JsonValue* value = Keyword(schema, keyword);
    if (value == nullptr) continue;
    if (!value->Is(JsonValue::Kind::kString)) return Wrong(schema, keyword, "a text");
    if (keyword[1] == 'd') {
      HW_TRY(const JsonValue* target, document_->ResolveDynamic(schema, value->text));
      targets.push_back(target);
      continue;
    }
    if (keyword[3] == 'c') return UnsupportedKeyword(Place(schema), keyword);
    HW_TRY(const JsonValue* target, document_->Resolve(schema, value->text));
    targets.push_back(target);
  }
  return targets;
}

Result<FormulaPointer> SchemaReader::Read(const Atom& atom, Side side) {
  if (atom.node == nullptr) return atom.negated ? False() : True();
  FormulaPointer formula;
  if (atom.is_literal) {
    formula = ReadLiteral(*atom.node, side);
  } else {
    HW_TRY(formula, ReadSchema(*atom.node, side, false));
  }
  if (!atom.negated) return formula;
  auto negated = Not(formula);
  if (!negated) return Prefixed(negated.error(), Place(*atom.node));
  return negated;
}

Result<FormulaPointer> SchemaReader::ReadSchema(const JsonValue& schema, Side side, bool tracking) {
  if (schema.Is(JsonValue::Kind::kBoolean)) return schema.boolean ? True() : False();
  if (!schema.Is(JsonValue::Kind::kObject))
    return SchemaError(Place(schema), fmt::format("expected a schema, found {}", Shown(schema)));
  const Question question = {&schema, side, tracking};
  if (const auto known = formulas_.find(question); known != formulas_.end()) return known->second;
  if (!asked_.insert(question).second) return Endless(Place(schema));
  HW_TRY(const bool has_type, HasType(schema, NameOf(side)));
  FormulaPointer formula = False();
  if (has_type) {
    const JsonValue* rest =
        Keyword(schema, side == Side::kObject ? "unevaluatedProperties" : "unevaluatedItems");
    HW_TRY(formula, ReadCombined(schema, side, tracking || rest != nullptr));
    if (rest != nullptr) {
      HW_TRY(formula, ReadUnevaluated(schema, formula, side, *rest));
    }
  }
  asked_.erase(question);
  formulas_.emplace(question, formula);
  return formula;
}

Result<FormulaPointer> SchemaReader::ReadCombined(const JsonValue& schema, Side side,
                                                  bool tracking) {
  std::vector<FormulaPointer> parts(1);
  HW_TRY(parts[0],
         side == Side::kObject ? ReadObject(schema, tracking) : ReadArray(schema, tracking));
  HW_TRY(FormulaPointer literals, ReadLiterals(schema, side));
  parts.push_back(std::move(literals));
  HW_TRY(const auto references, References(schema));
  for (const JsonValue* target : references) {
    HW_TRY(FormulaPointer part, ReadSchema(*target, side, tracking));
    parts.push_back(std::move(part));
  }
  if (Keyword(schema, "allOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "allOf"));
    for (const JsonValue& each : list->items) {
      HW_TRY(FormulaPointer part, ReadSchema(each, side, tracking));
      parts.push_back(std::move(part));
    }
  }
  if (Keyword(schema, "anyOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "anyOf"));
    HW_TRY(FormulaPointer part, ReadAnyOf(*list, side, tracking));
    parts.push_back(std::move(part));
  }
  if (Keyword(schema, "oneOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "oneOf"));
    HW_TRY(FormulaPointer part, ReadOneOf(*list, side, tracking));
    parts.push_back(std::move(part));
  }
  if (const JsonValue* other = Keyword(schema, "not")) {
    HW_TRY(FormulaPointer part, Read({other, false, true}, side));
    parts.push_back(std::move(part));
  }
  HW_TRY(FormulaPointer part, ReadIf(schema, side, tracking));
  parts.push_back(std::move(part));
  return All(std::move(parts));
}

// While looking at what is evaluated, every branch that holds counts: all sets of branches.
Result<FormulaPointer> SchemaReader::ReadAnyOf(const JsonValue& list, Side side, bool tracking) {
  constexpr size_t kMostTracked = 6;
  std::vector<FormulaPointer> ways;
  for (const JsonValue& each : list.items) {
    HW_TRY(FormulaPointer way, ReadSchema(each, side, tracking));
    ways.push_back(std::move(way));
  }
  if (!tracking) return Any(std::move(ways));
  if (ways.size() > kMostTracked) {
    return UnsupportedKeyword(Place(list), "anyOf' of many schemas beside 'unevaluated...");
  }
  // A branch that demands nothing must not make the others vanish: they tell what is evaluated.
  Demand nothing;
  nothing.kind =
      side == Side::kObject ? Demand::Kind::kEvaluatedNames : Demand::Kind::kEvaluatedItems;
  nothing.names = NoText();
  std::vector<FormulaPointer> sets;
  for (size_t set = 1; set < size_t{1} << ways.size(); ++set) {
    std::vector<FormulaPointer> parts;
    for (size_t i = 0; i < ways.size(); ++i) {
      if ((set >> i & 1) != 0) parts.push_back(ways[i]);
    }
    parts.push_back(Demanded(nothing));
    sets.push_back(All(std::move(parts)));
  }
  return Any(std::move(sets));
}

Result<FormulaPointer> SchemaReader::ReadOneOf(const JsonValue& list, Side side, bool tracking) {
  std::vector<FormulaPointer> holds;
  std::vector<FormulaPointer> fails;
  for (const JsonValue& each : list.items) {
    HW_TRY(FormulaPointer way, ReadSchema(each, side, tracking));
    HW_TRY(FormulaPointer other, Read({&each, false, true}, side));
    holds.push_back(std::move(way));
    fails.push_back(std::move(other));
  }
  std::vector<FormulaPointer> ways;
  for (size_t i = 0; i < holds.size(); ++i) {
    std::vector<FormulaPointer> parts = fails;
    parts[i] = True();
    parts.insert(parts.begin(), holds[i]);
    ways.push_back(All(std::move(parts)));
  }
  return Any(std::move(ways));
}

Result<FormulaPointer> SchemaReader::ReadIf(const JsonValue& schema, Side side, bool tracking) {
  const JsonValue* condition = Keyword(schema, "if");
  if (condition == nullptr) return True();
  const JsonValue* then = Keyword(schema, "then");
  const JsonValue* otherwise = Keyword(schema, "else");
  if (then == nullptr && otherwise == nullptr && !tracking) return True();
  HW_TRY(const FormulaPointer holds, ReadSchema(*condition, side, tracking));
  HW_TRY(const FormulaPointer fails, Read({condition, false, true}, side));
  FormulaPointer first = True();
  FormulaPointer second = True();
  if (then != nullptr) {
    HW_TRY(first, ReadSchema(*then, side, tracking));
  }
  if (otherwise != nullptr) {
    HW_TRY(second, ReadSchema(*otherwise, side, tracking));
  }
  return Any({All({holds, first}), All({fails, second})});
}

Result<FormulaPointer> SchemaReader::ReadLiterals(const JsonValue& schema, Side side) {
  std::vector<FormulaPointer> parts;
  if (const JsonValue* value = Keyword(schema, "const")) parts.push_back(ReadLiteral(*value, side));
  if (Keyword(schema, "enum") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "enum"));
    std::vector<FormulaPointer> ways;
    for (const JsonValue& value : list->items) ways.push_back(ReadLiteral(value, side));
    parts.push_back(Any(std::move(ways)));
  }
  return All(std::move(parts));
}

}  // namespace headway::grammar
