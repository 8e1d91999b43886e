#include "grammar/number_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "grammar/pattern.h"

namespace headway::grammar {
namespace {

// An automaton over digits, '.' and '-' from a function that says where a character leads; states
// are what the function says they are.
template <class State, class Next, class Accepts>
Dfa Explore(const State& first, const Next& next, const Accepts& accepts) {
  std::map<State, int32_t> numbers = {{first, 0}};
  std::vector<State> states = {first};
  Dfa dfa;
  for (size_t i = 0; i < states.size(); ++i) {
    const State state = states[i];
    std::vector<std::pair<CodeRange, int32_t>> ranges;
    for (const char c : {'-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}) {
      State target = state;
      if (!next(c, &target)) continue;
      const auto [found, is_new] = numbers.try_emplace(target, static_cast<int32_t>(states.size()));
      if (is_new) states.push_back(target);
      const uint32_t code_point = static_cast<unsigned char>(c);
      ranges.push_back({{code_point, code_point}, found->second});
    }
    dfa.states.push_back({.edges = EdgesOf(std::move(ranges)), .accepts = accepts(state)});
  }
  return Trimmed(std::move(dfa));
}

enum class Part { kBegin, kSigned, kZero, kWhole, kPoint, kFraction };

// The grammar of numbers; false where `c` cannot stand.
bool Advance(char c, Part* part) {
  const bool digit = c >= '0' && c <= '9';
  switch (*part) {
    case Part::kBegin:
      if (c == '-') {
        *part = Part::kSigned;
        return true;
      }
      [[fallthrough]];
    case Part::kSigned:
      *part = c == '0' ? Part::kZero : Part::kWhole;
      return digit;
    case Part::kZero:
    case Part::kWhole:
      if (c == '.') {
        *part = Part::kPoint;
        return true;
      }
      return digit && *part == Part::kWhole;
    case Part::kPoint:
    case Part::kFraction:
      *part = Part::kFraction;
      return digit;
  }
  return false;
}

bool IsWholeNumber(Part part) {
  return part == Part::kZero || part == Part::kWhole || part == Part::kFraction;
}

// How what was read compares with a limit's magnitude: -1, 0, 1 so far; `read` digits of the part
// that is being read. Whole parts compare by their length first, so that is settled at their end.
struct Comparison {
  Part part = Part::kBegin;
  bool negative = false;
  int sign = 0;
  size_t read = 0;
  auto Key() const { return std::tie(part, negative, sign, read); }
  bool operator<(const Comparison& other) const { return Key() < other.Key(); }
};

class Comparer {
 public:
  explicit Comparer(const Decimal& limit) : whole_(limit.Whole()), fraction_(limit.Fraction()) {
    fraction_.erase(fraction_.find_last_not_of('0') + 1);
  }

  bool Next(char c, Comparison* state) const {
    if (!Advance(c, &state->part)) return false;
    if (c == '-') state->negative = true;
    if (c == '.') {
      state->sign = WholeSign(*state);
      state->read = 0;
    }
    if (c < '0' || c > '9') return true;
    const bool in_fraction = state->part == Part::kFraction;
    if (!in_fraction && c == '0' && state->part == Part::kZero) return true;  // no digit at all
    const std::string& digits = in_fraction ? fraction_ : whole_;
    const char other = state->read < digits.size() ? digits[state->read] : '0';
    if (state->sign == 0 && c != other) state->sign = c < other ? -1 : 1;
    // Past the limit's digits their number no longer matters, one more is enough to know.
    state->read = std::min(state->read + 1, digits.size() + (in_fraction ? 0 : 1));
    return true;
  }

  // The sign of |number| - |limit| when the text ends here.
  int Sign(const Comparison& state) const {
    if (state.part != Part::kFraction) {
      const int whole = WholeSign(state);
      return whole == 0 && !fraction_.empty() ? -1 : whole;
    }
    return state.sign == 0 && state.read < fraction_.size() ? -1 : state.sign;
  }

 private:
  int WholeSign(const Comparison& state) const {
    if (state.read != whole_.size()) return state.read < whole_.size() ? -1 : 1;
    return state.sign;
  }

  std::string whole_;
  std::string fraction_;
};

// The numbers for which `holds` of the sign of number - limit.
template <class Holds>
DfaPointer Compared(const Decimal& limit, const Holds& holds) {
  const Comparer comparer(limit);
  return std::make_shared<const Dfa>(Explore(
      Comparison{}, [&](char c, Comparison* state) { return comparer.Next(c, state); },
      [&](const Comparison& state) {
        if (!IsWholeNumber(state.part)) return false;
        const int magnitude = comparer.Sign(state);
        int sign = 0;
        if (state.negative == limit.negative) {
          sign = state.negative ? -magnitude : magnitude;
        } else {  // -0 is 0
          const bool both_zero = limit.IsZero() && magnitude == 0;
          sign = both_zero ? 0 : state.negative ? -1 : 1;
          // A limit below 0 is compared with a number from 0 up, or the other way round.
        }
        return holds(sign);
      }));
}

DfaPointer FromPattern(const char* pattern) {
  auto dfa = TextsMatching(pattern);
  return dfa ? *dfa : NoText();
}

// What is left over of a number in units of 10^-places, modulo the step's digits.
struct Remainder {
  Part part = Part::kBegin;
  uint64_t rest = 0;
  size_t places = 0;
  auto Key() const { return std::tie(part, rest, places); }
  bool operator<(const Remainder& other) const { return Key() < other.Key(); }
};

}  // namespace

DfaPointer AllNumbers() {
  static const DfaPointer all = FromPattern("^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$");
  return all;
}

DfaPointer Integers() {
  static const DfaPointer integers = FromPattern("^-?(0|[1-9][0-9]*)(\\.0+)?$");
  return integers;
}

DfaPointer WholeSpellings() {
  static const DfaPointer whole = FromPattern("^(0|-?[1-9][0-9]*)$");
  return whole;
}

DfaPointer NumbersFrom(const Decimal& limit, bool open) {
  return Compared(limit, [open](int sign) { return open ? sign > 0 : sign >= 0; });
}

DfaPointer NumbersTo(const Decimal& limit, bool open) {
  return Compared(limit, [open](int sign) { return open ? sign < 0 : sign <= 0; });
}

DfaPointer TheNumber(const Decimal& value) {
  return Compared(value, [](int sign) { return sign == 0; });
}

Result<DfaPointer> MultiplesOf(const Decimal& step) {
  constexpr uint64_t kLargestStep = 20000;
  const std::string fraction = step.Fraction();
  const std::string digits = step.Whole() + fraction;
  uint64_t modulus = 0;
  for (const char c : digits) {
    modulus = modulus * 10 + static_cast<uint64_t>(c - '0');
    if (modulus * (fraction.size() + 2) > kLargestStep) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("expected a step of fewer digits, found {}.{}", step.Whole(), fraction));
    }
  }
  const auto next = [&](char c, Remainder* state) {
    if (!Advance(c, &state->part)) return false;
    if (c < '0' || c > '9') return true;
    if (state->part == Part::kFraction) {
      if (state->places == fraction.size()) return c == '0';
      ++state->places;
    }
    state->rest = (state->rest * 10 + static_cast<uint64_t>(c - '0')) % modulus;
    return true;
  };
  const auto accepts = [&](const Remainder& state) {
    uint64_t rest = state.rest;
    for (size_t i = state.places; i < fraction.size(); ++i) rest = rest * 10 % modulus;
    return IsWholeNumber(state.part) && rest == 0;
  };
  return DfaPointer(std::make_shared<const Dfa>(Explore(Remainder{}, next, accepts)));
}

DfaPointer NumberSpellings(int64_t most, bool plain) {
  const std::string pattern =
      plain ? fmt::format(
                  "^(0|-?[1-9][0-9]{{0,{0}}}|-?(0|[1-9][0-9]{{0,{0}}})\\.[0-9]{{0,{0}}}"
                  "[1-9])$",
                  most - 1)
            : fmt::format("^-?(0|[1-9][0-9]{{0,{}}})(\\.[0-9]{{1,{}}})?$", most - 1, most);
  return FromPattern(pattern.c_str());
}

}  // namespace headway::grammar
