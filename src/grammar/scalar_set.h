#pragma once

// The values of a schema that hold no further values: null, booleans, numbers and strings. Closed
// under the Boolean operations.

#include "base/result.h"
#include "grammar/dfa.h"
#include "grammar/json_value.h"

namespace headway::grammar {

struct ScalarSet {
  bool has_null = false;
  bool has_true = false;
  bool has_false = false;
  DfaPointer numbers = NoText();  // as number_sets.h spells them
  DfaPointer strings = NoText();  // values, without quotation marks and escapes

  bool IsEmpty() const {
    return !has_null && !has_true && !has_false && numbers->IsEmpty() && strings->IsEmpty();
  }
};

ScalarSet AllScalars();
// Exactly this value; nothing for an array or object.
Result<ScalarSet> OnlyScalar(const JsonValue& value);

// The same operation on every part. Errors: kUnsupported, when an automaton gets too large.
Result<ScalarSet> Both(const ScalarSet& a, const ScalarSet& b);
Result<ScalarSet> Either(const ScalarSet& a, const ScalarSet& b);
Result<ScalarSet> AllBut(const ScalarSet& a);

// Of automata; what is all or nothing is told by its address and costs nothing.
Result<DfaPointer> And(const DfaPointer& a, const DfaPointer& b);

}  // namespace headway::grammar
