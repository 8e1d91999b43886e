#include "lmhead/row_code.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace headway::lmhead {
namespace {

constexpr double kLargestHalf = 65504.0;
constexpr double kSmallestHalf = 0x1p-24;

// A sum of channels is made exact by pairs that change places across a threshold: how many may, how
// many are looked at on either side, and how far from the threshold they may lie, of it. Pairs
// whose difference is nearly nothing are few, so that a small excess is first made a large one.
constexpr int kMostSwaps = 6;
constexpr size_t kMostCandidates = 24;
constexpr double kReach = 0.3;
constexpr double kSmallExcess = 0.12;

struct Sums {
  double absolute = 0.0;  // L1
  double squares = 0.0;   // S
};

Sums SumsOf(const double* w, size_t n) {
  Sums sums;
  for (size_t j = 0; j < n; ++j) {
    sums.absolute += std::fabs(w[j]);
    sums.squares += w[j] * w[j];
  }
  return sums;
}

// The channels that have a bit: those of at least a threshold, but for a few.
class BitChoice {
 public:
  // `bits`: [n], written by Choose().
  BitChoice(const double* w, size_t n, uint8_t* bits) : w_(w), n_(n), bits_(bits) {}

  // reached(j, threshold): whether channel j has the bit. The threshold is sought between `low`,
  // which gives a larger sum of |w| than `wanted`, as a rule, and `high`, which gives a smaller
  // one. Then single channels change, among those for which may_change(j), until the sum is within
  // `close` of `wanted` or nothing helps. Returns the sum.
  template <class Reached, class MayChange>
  double Choose(double low, double high, double wanted, double close, const Reached& reached,
                const MayChange& may_change) {
    for (int round = 0; round < 9; ++round) {
      const double middle = 0.5 * (low + high);
      (SumAt(middle, reached) > wanted ? low : high) = middle;
    }
    threshold_ = low;
    sum_ = SumAt(low, reached);
    for (size_t j = 0; j < n_; ++j) {
      bits_[j] = reached(j, low) ? 1 : 0;
      const bool near = std::fabs(Size(j) - low) < kReach * low;
      if (near && may_change(j)) (bits_[j] != 0 ? with_ : without_).Add(j);
    }
    Settle(wanted, close);
    return sum_;
  }

 private:
  struct Candidates {
    std::array<size_t, kMostCandidates> at{};
    size_t count = 0;

    void Add(size_t j) {
      if (count < at.size()) at[count++] = j;
    }
    void Remove(size_t* candidate) { *candidate = at[--count]; }
    size_t* begin() { return at.data(); }
    size_t* end() { return at.data() + count; }
  };

  double Size(size_t j) const { return std::fabs(w_[j]); }

  template <class Reached>
  double SumAt(double threshold, const Reached& reached) const {
    double sum = 0.0;
    for (size_t j = 0; j < n_; ++j) sum += reached(j, threshold) ? Size(j) : 0.0;
    return sum;
  }

  void Settle(double wanted, double close) {
    const auto excess = [&] { return sum_ - wanted; };
    if (std::fabs(excess()) <= close) return;
    // The channels next to the threshold first: the excess becomes one that pairs can take away.
    while (excess() > (1.0 + kSmallExcess) * threshold_ && with_.count > 0) Change(&with_, true);
    while (excess() < kSmallExcess * threshold_ && without_.count > 0) Change(&without_, false);
    const double reach = kReach * threshold_;
    for (int swap = 0; swap < kMostSwaps && std::fabs(excess()) > close; ++swap) {
      if (!Swap(excess() > reach ? std::min(0.5 * excess(), reach) : excess())) return;
    }
  }

  // Takes the bit from the smallest candidate, or gives it to the largest.
  void Change(Candidates* candidates, bool has_bit) {
    size_t* const chosen = std::min_element(
        candidates->begin(), candidates->end(),
        [&](size_t a, size_t b) { return has_bit ? Size(a) < Size(b) : Size(a) > Size(b); });
    bits_[*chosen] = has_bit ? 0 : 1;
    sum_ += has_bit ? -Size(*chosen) : Size(*chosen);
    candidates->Remove(chosen);
  }

  // The pair whose change of places takes nearest to `target` from the sum.
  bool Swap(double target) {
    size_t* from = nullptr;
    size_t* to = nullptr;
    double best = std::fabs(target);
    for (size_t& a : with_) {
      const double wanted = Size(a) - target;
      for (size_t& b : without_) {
        const double distance = std::fabs(wanted - Size(b));
        if (distance >= best) continue;
        best = distance;
        from = &a;
        to = &b;
      }
    }
    if (from == nullptr) return false;
    sum_ += Size(*to) - Size(*from);
    bits_[*from] = 0;
    bits_[*to] = 1;
    with_.Remove(from);  // neither changes again
    without_.Remove(to);
    return true;
  }

  const double* const w_;
  const size_t n_;
  uint8_t* const bits_;
  double threshold_ = 0.0;
  double sum_ = 0.0;
  Candidates with_;
  Candidates without_;
};

}  // namespace

F16 RoundUpToF16(double value) {
  if (!(value < kLargestHalf)) return ToF16(static_cast<float>(kLargestHalf));
  F16 half = ToF16(static_cast<float>(value));
  while (static_cast<double>(ToFloat(half)) < value) ++half.bits;
  return half;
}

BlockCode EncodeBlock(const BlockInput& input, const BlockBits& bits) {
  const auto n = static_cast<size_t>(input.n);
  const double* w = input.rotated;
  const Sums sums = SumsOf(w, n);
  const double norm = std::sqrt(sums.squares);
  const double root_n = std::sqrt(static_cast<double>(n));
  BlockCode code;
  for (size_t j = 0; j < n; ++j) {
    bits.signs[j] = w[j] > 0.0 ? 1 : 0;
    bits.second[j] = 0;
    bits.third[j] = 0;
  }
  if (norm == 0.0) return code;

  double scale = sums.squares / sums.absolute;
  const double stored = std::max(std::ldexp(scale, input.exponent), kSmallestHalf);
  code.scale = ToF16(static_cast<float>(std::min(stored, kLargestHalf)));
  scale = std::ldexp(static_cast<double>(ToFloat(code.scale)), -input.exponent);
  const double unit = scale * root_n;
  // Of a reconstruction `scale * level`, with `product` = sum of level * w, `squares` of levels.
  const auto error = [&](double product, double squares, double tolerance) {
    product *= scale;
    squares *= scale * scale;
    const double off = std::fabs(product / sums.squares - 1.0);
    return CodeError{
        .gamma = std::sqrt(std::max(0.0, squares - product * product / sums.squares)) / unit,
        .excess = std::max(0.0, off - tolerance) * norm / unit};
  };
  code.one_bit = error(sums.absolute, static_cast<double>(n), kSignScaleTolerance);

  const double sigma = norm / root_n;
  const double wanted = sums.squares / scale;  // the product of every reconstruction
  static_assert(kTwoBitFactor == 1.0 && kTwoBitStep == 1.0);
  const double upper = BitChoice(w, n, bits.second)
                           .Choose(
                               0.8 * sigma, 1.6 * sigma, wanted - 0.5 * sums.absolute,
                               wanted * kRefineScaleTolerance,
                               [w](size_t j, double at) { return std::fabs(w[j]) >= at; },
                               [](size_t) { return true; });
  // In the upper half a third bit begins at three times the lower half's threshold; only those of
  // the lower half, which are many, change.
  const uint8_t* const second = bits.second;
  const double third =
      BitChoice(w, n, bits.third)
          .Choose(
              0.4 * sigma, 0.8 * sigma, wanted / kThreeBitStep - 0.5 * sums.absolute - 2.0 * upper,
              wanted / kThreeBitStep * kRefineScaleTolerance,
              [w, second](size_t j, double at) {
                return std::fabs(w[j]) >= (second[j] != 0 ? 3.0 * at : at);
              },
              [second](size_t j) { return second[j] == 0; });
  double two_squares = 0.0;
  double three_squares = 0.0;
  for (size_t j = 0; j < n; ++j) {
    const double two = TwoBitLevel(1.0, bits.second[j]);
    const double three = ThreeBitLevel(1.0, bits.second[j], bits.third[j]);
    two_squares += two * two;
    three_squares += three * three;
    if (bits.signs[j] == 0) {  // levels grow with the bits, whatever the sign
      bits.second[j] ^= 1;
      bits.third[j] ^= 1;
    }
  }
  code.two_bits = error(0.5 * sums.absolute + upper, two_squares, kRefineScaleTolerance);
  code.three_bits = error(kThreeBitStep * (0.5 * sums.absolute + 2.0 * upper + third),
                          three_squares, kRefineScaleTolerance);
  return code;
}

}  // namespace headway::lmhead
