#pragma once

// Numbers of a schema as exact decimals: 0.1 is a tenth, 1e1 is ten, 2^63 keeps its digits.

#include <string>
#include <string_view>

#include "base/result.h"

namespace headway::grammar {

// (-1)^negative * 0.digits * 10^point. No zeros at either end of `digits`; zero has none, and no
// sign.
struct Decimal {
  bool negative = false;
  std::string digits = {};
  int point = 0;

  bool IsZero() const { return digits.empty(); }
  bool IsInteger() const { return IsZero() || point >= static_cast<int>(digits.size()); }
  // Digits before the point without leading zeros ("" for none), and after it without trailing
  // ones.
  std::string Whole() const;
  std::string Fraction() const;
};

// `number`: JSON's spelling of one. Errors: kUnsupported, beyond 400 digits written out.
Result<Decimal> ParseDecimal(std::string_view number);

bool IsLess(const Decimal& a, const Decimal& b);

}  // namespace headway::grammar
