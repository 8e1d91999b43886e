#include "grammar/scalar_set.h"

#include <utility>

#include "grammar/number_sets.h"

namespace headway::grammar {
namespace {

bool IsAll(const DfaPointer& a) { return a == AnyText() || a == AllNumbers(); }

Result<DfaPointer> Or(const DfaPointer& a, const DfaPointer& b) {
  if (a->IsEmpty() || IsAll(b) || a == b) return b;
  if (b->IsEmpty() || IsAll(a)) return a;
  return Combine(a, b, kOr);
}

Result<DfaPointer> Without(const DfaPointer& all, const DfaPointer& a) {
  if (a->IsEmpty()) return all;
  if (a == all) return NoText();
  return Combine(all, a, kWithout);
}

}  // namespace

Result<DfaPointer> And(const DfaPointer& a, const DfaPointer& b) {
  if (a->IsEmpty() || IsAll(b) || a == b) return a;
  if (b->IsEmpty() || IsAll(a)) return b;
  return Combine(a, b, kAnd);
}

ScalarSet AllScalars() {
  return {.has_null = true,
          .has_true = true,
          .has_false = true,
          .numbers = AllNumbers(),
          .strings = AnyText()};
}

Result<ScalarSet> OnlyScalar(const JsonValue& value) {
  ScalarSet set;
  set.has_null = value.Is(JsonValue::Kind::kNull);
  set.has_true = value.Is(JsonValue::Kind::kBoolean) && value.boolean;
  set.has_false = value.Is(JsonValue::Kind::kBoolean) && !value.boolean;
  if (value.Is(JsonValue::Kind::kString)) set.strings = Words({value.text});
  if (value.Is(JsonValue::Kind::kNumber)) {
    HW_TRY(const Decimal number, ParseDecimal(value.text));
    set.numbers = TheNumber(number);
  }
  return set;
}

Result<ScalarSet> Both(const ScalarSet& a, const ScalarSet& b) {
  ScalarSet set;
  set.has_null = a.has_null && b.has_null;
  set.has_true = a.has_true && b.has_true;
  set.has_false = a.has_false && b.has_false;
  HW_TRY(set.numbers, And(a.numbers, b.numbers));
  HW_TRY(set.strings, And(a.strings, b.strings));
  return set;
}

Result<ScalarSet> Either(const ScalarSet& a, const ScalarSet& b) {
  ScalarSet set;
  set.has_null = a.has_null || b.has_null;
  set.has_true = a.has_true || b.has_true;
  set.has_false = a.has_false || b.has_false;
  HW_TRY(set.numbers, Or(a.numbers, b.numbers));
  HW_TRY(set.strings, Or(a.strings, b.strings));
  return set;
}

Result<ScalarSet> AllBut(const ScalarSet& a) {
  ScalarSet set;
  set.has_null = !a.has_null;
  set.has_true = !a.has_true;
  set.has_false = !a.has_false;
  HW_TRY(set.numbers, Without(AllNumbers(), a.numbers));
  HW_TRY(set.strings, Without(AnyText(), a.strings));
  return set;
}

}  // namespace headway::grammar
