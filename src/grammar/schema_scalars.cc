// Scalars: type, const and enum, limits of numbers and strings, and their combinations.

#include <fmt/format.h>

#include <utility>

#include "grammar/number_sets.h"
#include "grammar/schema_errors.h"
#include "grammar/schema_reader.h"
#include "grammar/string_formats.h"

namespace headway::grammar {

Result<ScalarSet> SchemaReader::Scalars(const Atom& atom) {
  if (atom.node == nullptr) return atom.negated ? ScalarSet{} : AllScalars();
  ScalarSet set;
  if (atom.is_literal) {
    auto literal = OnlyScalar(*atom.node);
    if (!literal) return Prefixed(literal.error(), Place(*atom.node));
    set = *std::move(literal);
  } else {
    HW_TRY(set, ScalarsOf(*atom.node));
  }
  if (!atom.negated) return set;
  auto others = AllBut(set);
  if (!others) return Prefixed(others.error(), Place(*atom.node));
  return others;
}

Result<ScalarSet> SchemaReader::ScalarsOf(const JsonValue& schema) {
  if (schema.Is(JsonValue::Kind::kBoolean)) return schema.boolean ? AllScalars() : ScalarSet{};
  if (!schema.Is(JsonValue::Kind::kObject)) {
    return SchemaError(Place(schema), fmt::format("expected a schema, found {}", Shown(schema)));
  }
  if (const auto known = scalars_.find(&schema); known != scalars_.end()) return known->second;
  if (!scalars_asked_.insert(&schema).second) return Endless(Place(schema));
  HW_TRY(ScalarSet set, ScalarKeywords(schema));
  auto combined = CombinedScalars(schema, std::move(set));
  if (!combined) {
    // An automaton that got too large does not know of which schema.
    if (combined.error().message.rfind('#', 0) == 0) return combined;
    return Prefixed(combined.error(), Place(schema));
  }
  scalars_asked_.erase(&schema);
  scalars_.emplace(&schema, *combined);
  return combined;
}

Result<ScalarSet> SchemaReader::ScalarKeywords(const JsonValue& schema) {
  ScalarSet set;
  HW_TRY(set.has_null, HasType(schema, "null"));
  HW_TRY(set.has_true, HasType(schema, "boolean"));
  set.has_false = set.has_true;
  HW_TRY(const bool has_numbers, HasType(schema, "number"));
  HW_TRY(const bool has_integers, HasType(schema, "integer"));
  if (has_numbers || has_integers) {
    HW_TRY(set.numbers, NumberLimits(schema));
    if (!has_numbers) {
      HW_TRY(set.numbers, And(set.numbers, Integers()));
    }
  }
  HW_TRY(const bool has_strings, HasType(schema, "string"));
  if (has_strings) {
    HW_TRY(set.strings, StringLimits(schema));
  }
  if (Keyword(schema, "const") != nullptr || Keyword(schema, "enum") != nullptr) {
    HW_TRY(const ScalarSet literals, LiteralScalars(schema));
    return Both(literals, set);
  }
  return set;
}

Result<ScalarSet> SchemaReader::LiteralScalars(const JsonValue& schema) {
  ScalarSet set = AllScalars();
  if (const JsonValue* value = Keyword(schema, "const")) {
    HW_TRY(set, Scalars({value, true, false}));
  }
  if (Keyword(schema, "enum") == nullptr) return set;
  HW_TRY(const JsonValue* list, List(schema, "enum"));
  ScalarSet any;
  std::vector<std::string> words;
  for (const JsonValue& value : list->items) {
    if (value.Is(JsonValue::Kind::kString)) {
      words.push_back(value.text);  // all at once: one by one would be quadratic
      continue;
    }
    HW_TRY(const ScalarSet one, Scalars({&value, true, false}));
    HW_TRY(any, Either(any, one));
  }
  any.strings = Words(words);
  return Both(set, any);
}

Result<ScalarSet> SchemaReader::OneOfScalars(const JsonValue& list) {
  ScalarSet once;
  ScalarSet seen;
  for (const JsonValue& part : list.items) {
    HW_TRY(const ScalarSet set, ScalarsOf(part));
    HW_TRY(const ScalarSet others, AllBut(set));
    HW_TRY(const ScalarSet unseen, AllBut(seen));
    HW_TRY(const ScalarSet kept, Both(once, others));
    HW_TRY(const ScalarSet added, Both(unseen, set));
    HW_TRY(once, Either(kept, added));
    HW_TRY(seen, Either(seen, set));
  }
  return once;
}

Result<ScalarSet> SchemaReader::CombinedScalars(const JsonValue& schema, ScalarSet set) {
  HW_TRY(const auto references, References(schema));
  for (const JsonValue* target : references) {
    HW_TRY(const ScalarSet part, ScalarsOf(*target));
    HW_TRY(set, Both(set, part));
  }
  if (Keyword(schema, "allOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "allOf"));
    for (const JsonValue& each : list->items) {
      HW_TRY(const ScalarSet part, ScalarsOf(each));
      HW_TRY(set, Both(set, part));
    }
  }
  if (Keyword(schema, "anyOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "anyOf"));
    ScalarSet any;
    for (const JsonValue& each : list->items) {
      HW_TRY(const ScalarSet part, ScalarsOf(each));
      HW_TRY(any, Either(any, part));
    }
    HW_TRY(set, Both(set, any));
  }
  if (Keyword(schema, "oneOf") != nullptr) {
    HW_TRY(const JsonValue* list, List(schema, "oneOf"));
    HW_TRY(const ScalarSet one, OneOfScalars(*list));
    HW_TRY(set, Both(set, one));
  }
  if (const JsonValue* other = Keyword(schema, "not")) {
    HW_TRY(const ScalarSet without, Scalars({other, false, true}));
    HW_TRY(set, Both(set, without));
  }
  const JsonValue* condition = Keyword(schema, "if");
  if (condition == nullptr) return set;
  const JsonValue* then = Keyword(schema, "then");
  const JsonValue* otherwise = Keyword(schema, "else");
  HW_TRY(const ScalarSet holds, ScalarsOf(*condition));
  HW_TRY(const ScalarSet fails, AllBut(holds));
  HW_TRY(const ScalarSet if_so,
         then == nullptr ? Result<ScalarSet>(AllScalars()) : ScalarsOf(*then));
  HW_TRY(const ScalarSet if_not,
         otherwise == nullptr ? Result<ScalarSet>(AllScalars()) : ScalarsOf(*otherwise));
  HW_TRY(const ScalarSet first, Both(holds, if_so));
  HW_TRY(const ScalarSet second, Both(fails, if_not));
  HW_TRY(const ScalarSet either, Either(first, second));
  return Both(set, either);
}

Result<DfaPointer> SchemaReader::NumberLimits(const JsonValue& schema) {
  DfaPointer set = AllNumbers();
  for (const char* keyword :
       {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"}) {
    const JsonValue* value = Keyword(schema, keyword);
    if (value == nullptr) continue;
    const std::string_view name = keyword;
    // Draft 4: "exclusiveMinimum": true, beside "minimum".
    if (name[0] == 'e' && value->Is(JsonValue::Kind::kBoolean)) continue;
    if (!value->Is(JsonValue::Kind::kNumber)) return Wrong(schema, keyword, "a number");
    auto limit = ParseDecimal(value->text);
    if (!limit) return Prefixed(limit.error(), Place(schema) + ": " + keyword);
    const JsonValue* open_mark = Keyword(schema, name == "minimum"   ? "exclusiveMinimum"
                                                 : name == "maximum" ? "exclusiveMaximum"
                                                                     : "");
    const bool open = name[0] == 'e' || (open_mark != nullptr && open_mark->boolean);
    DfaPointer part;
    if (name == "multipleOf") {
      if (limit->IsZero() || limit->negative) return Wrong(schema, keyword, "a number above 0");
      auto multiples = MultiplesOf(*limit);
      if (!multiples) return Prefixed(multiples.error(), Place(schema) + ": multipleOf");
      part = *multiples;
    } else {
      const bool low = name == "minimum" || name == "exclusiveMinimum";
      part = low ? NumbersFrom(*limit, open) : NumbersTo(*limit, open);
    }
    HW_TRY(set, And(set, part));
  }
  const JsonValue* format = options_.assert_formats ? Keyword(schema, "format") : nullptr;
  if (format == nullptr || !format->Is(JsonValue::Kind::kString)) return set;
  HW_TRY(const DfaPointer type, NumberFormat(format->text));
  return type == nullptr ? set : And(set, type);
}

Result<DfaPointer> SchemaReader::StringLimits(const JsonValue& schema) {
  HW_TRY(const int64_t least, Count(schema, "minLength", 0));
  HW_TRY(const int64_t most, Count(schema, "maxLength", Expression::kNoLimit));
  DfaPointer set = Lengths(least, most);
  if (const JsonValue* pattern = Keyword(schema, "pattern")) {
    if (!pattern->Is(JsonValue::Kind::kString)) return Wrong(schema, "pattern", "a text");
    HW_TRY(const DfaPointer texts, Pattern(schema, pattern->text));
    HW_TRY(set, And(texts, set));
  }
  const JsonValue* format = options_.assert_formats ? Keyword(schema, "format") : nullptr;
  if (format == nullptr) return set;
  if (!format->Is(JsonValue::Kind::kString)) return Wrong(schema, "format", "a text");
  // One automaton a format, so that its rule is shared.
  const auto [known, is_new] = patterns_.try_emplace("format " + format->text);
  if (is_new) {
    HW_TRY(known->second, StringFormat(format->text));
  }
  const DfaPointer& texts = known->second;
  return texts == nullptr ? set : And(texts, set);
}

}  // namespace headway::grammar
