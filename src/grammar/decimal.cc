#include "grammar/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace headway::grammar {
namespace {

constexpr int kMostDecimalDigits = 400;

bool IsLessMagnitude(const Decimal& a, const Decimal& b) {
  if (a.IsZero() || b.IsZero()) return a.IsZero() && !b.IsZero();
  if (a.point != b.point) return a.point < b.point;
  return a.digits < b.digits;
}

}  // namespace

std::string Decimal::Whole() const {
  if (point <= 0) return "";
  const auto places = static_cast<size_t>(point);
  std::string whole = digits.substr(0, places);
  return whole.empty() ? whole : whole.append(places - whole.size(), '0');
}

std::string Decimal::Fraction() const {
  if (point <= 0)
    return std::string(digits.empty() ? 0 : static_cast<size_t>(-point), '0') + digits;
  return digits.size() <= static_cast<size_t>(point) ? ""
                                                     : digits.substr(static_cast<size_t>(point));
}

Result<Decimal> ParseDecimal(std::string_view number) {
  Decimal d;
  const size_t e = number.find_first_of("eE");
  const std::string_view mantissa = number.substr(0, e);
  long exponent = 0;
  if (e != std::string_view::npos)
    exponent = std::strtol(std::string(number.substr(e + 1)).c_str(), nullptr, 10);
  size_t whole_digits = 0;
  bool after_point = false;
  for (const char c : mantissa) {
    if (c == '-') d.negative = true;
    if (c == '.') after_point = true;
    if (c < '0' || c > '9') continue;
    d.digits += c;
    whole_digits += after_point ? 0 : 1;
  }
  const size_t leading = std::min(d.digits.find_first_not_of('0'), d.digits.size());
  d.digits.erase(0, leading);
  d.digits.erase(d.digits.find_last_not_of('0') + 1);
  if (d.digits.empty()) return Decimal{};
  const long point = static_cast<long>(whole_digits) - static_cast<long>(leading);
  constexpr long kMost = kMostDecimalDigits;
  if (exponent > 2 * kMost || exponent < -2 * kMost || point + exponent > kMost ||
      static_cast<long>(d.digits.size()) - (point + exponent) > kMost) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected a number of at most {} digits before and after the point, "
                            "found {}",
                            kMostDecimalDigits, number.substr(0, 40)));
  }
  d.point = static_cast<int>(point + exponent);
  return d;
}

bool IsLess(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative;
  return a.negative ? IsLessMagnitude(b, a) : IsLessMagnitude(a, b);
}

}  // namespace headway::grammar
