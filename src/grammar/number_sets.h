#pragma once

// Sets of numbers as automata over their decimal spelling without exponent: -?whole(.fraction)?.
// Every set holds all spellings of a number (1, 1.0, 1.00) or none.

#include <cstdint>

#include "base/result.h"
#include "grammar/decimal.h"
#include "grammar/dfa.h"

namespace headway::grammar {

DfaPointer AllNumbers();
DfaPointer Integers();
// From `limit` up, or down; `limit` itself is in it unless `open`.
DfaPointer NumbersFrom(const Decimal& limit, bool open);
DfaPointer NumbersTo(const Decimal& limit, bool open);
DfaPointer TheNumber(const Decimal& value);
// Errors: kUnsupported, where the automaton would be too large.
Result<DfaPointer> MultiplesOf(const Decimal& step);

// Spellings with at most `most` digits before and after the point; `plain`: one spelling a number
// (no -0, no zeros at the end of a fraction, no fraction of nothing else).
DfaPointer NumberSpellings(int64_t most, bool plain);
// Spellings without a fraction and no -0.
DfaPointer WholeSpellings();

}  // namespace headway::grammar
