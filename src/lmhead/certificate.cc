#include "lmhead/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/from_chars.h"
#include "lmhead/row_code.h"

namespace headway::lmhead {
namespace {

using kernels::RotationBlock;
using kernels::RotationBlockOf;

constexpr double kUnitRoundoff = 0x1p-24;
// Inflates what is computed in double and stored in binary32, and covers the kernels' few rounding
// steps on the radius itself.
constexpr double kOutward = 1.0 + 0x1p-16;
// A block counts with at least this share of the state's norm, and a state is served only in a
// range of norms, so that scale^2 * energy stays above the smallest normal number: scales are at
// least 2^-38 of the largest row norm, so 2 (16 + 10 + 38) = 128 bits below 1.
constexpr double kSmallestBlockShare = 0x1p-10;
constexpr double kSmallestNorm = 0x1p-16;  // also of norm times the largest row norm
constexpr double kLargestNorm = 0x1p40;

// How delta is divided: error of the signs, of their table entries, of two-bit and of three-bit
// codes, and of the 8-bit activations that meet either. The first has by far the largest unit.
struct Shares {
  double signs = 0.8;
  double tables = 0.04;
  double two_bits = 0.08;
  double two_bits_activations = 0.03;
  double three_bits = 0.03;
  double three_bits_activations = 0.02;
};
constexpr Shares kShares;

constexpr double kActivationRange = 126.0;
// A code before rounding, in steps: product and sum in binary32 around 128, noise on a grid of
// 2^-15; together below 6e-5.
constexpr double kActivationSlack = 1e-4;

// Bounded errors that are independent and fair: P(X > x) <= exp(-x^2 / 2) = delta (Hoeffding 1963).
double HoeffdingMultiplier(double delta) { return std::sqrt(2.0 * std::log(1.0 / delta)); }

int64_t LargestBlock(int64_t num_channels) {
  int64_t largest = 0;
  for (int64_t b = 0; b < kernels::NumRotationBlocks(num_channels); ++b) {
    largest = std::max(largest, RotationBlockOf(num_channels, b).size);
  }
  return largest;
}

// What the largest entry of each kind is, per norm of the block: the steps' common ratio.
struct Ranges {
  double tables = 0.0;
  double activations = 0.0;
};

Ranges RangesOf(std::span<const float> rotated, double norm) {
  double largest_sum = 0.0;
  double largest = 0.0;
  for (size_t c = 0; c < rotated.size(); c += kernels::kSignPairChannels) {
    const size_t end = std::min<size_t>(c + kernels::kSignPairChannels, rotated.size());
    double sum = 0.0;
    for (size_t i = c; i < end; ++i) {
      const double magnitude = std::fabs(static_cast<double>(rotated[i]));
      sum += magnitude;
      largest = std::max(largest, magnitude);
    }
    largest_sum = std::max(largest_sum, sum);
  }
  return {.tables = largest_sum / (norm * static_cast<double>(kernels::kSignRange)),
          .activations = largest / (norm * kActivationRange)};
}

double NormOf(std::span<const float> values) {
  double squares = 0.0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

// A step as binary32, not smaller.
float StepOf(double ratio, double norm) {
  return static_cast<float>(ratio * norm * (1.0 + 0x1p-20)) + 0x1p-120F;
}

// What a device in 16-bit floats may lose of an estimate, relative to the sum over the blocks of
// scale sqrt(n) |h_b|: one rounding each of the state, of a block's sum, of its product with the
// scale, and of every addition of blocks; numbers below 2^-14 among the state's, in blocks of at
// least kSmallestBlockShare; and a block's sum in binary32. 2 % for their products.
double DeviceRounding(int64_t num_channels) {
  const auto num_blocks = static_cast<double>(kernels::NumRotationBlocks(num_channels));
  return 1.02 * ((num_blocks + 2.0) * 0x1p-11 + 0x1p-13 +
                 static_cast<double>(LargestBlock(num_channels)) * kUnitRoundoff);
}

// One ratio of step to norm for all blocks: then the noise of all of them is a multiple of the
// radius' own unit. Fills the blocks' norms.
Ranges RangesOfBlocks(std::span<const float> rest, std::span<const float> rotated, double norm,
                      std::array<double, kernels::kMaxRotationBlocks>* norms) {
  const auto D = static_cast<int64_t>(rest.size());
  Ranges range;
  for (int64_t b = 0; b < kernels::NumRotationBlocks(D); ++b) {
    const RotationBlock block = RotationBlockOf(D, b);
    const auto begin = static_cast<size_t>(block.begin);
    const auto size = static_cast<size_t>(block.size);
    const double block_norm =
        std::max(NormOf(rest.subspan(begin, size)) * (1.0 + 0x1p-23), kSmallestBlockShare * norm);
    (*norms)[static_cast<size_t>(b)] = block_norm;
    const Ranges mine = RangesOf(rotated.subspan(begin, size), block_norm);
    range.tables = std::max(range.tables, mine.tables);
    range.activations = std::max(range.activations, mine.activations);
  }
  return range;
}

// Steps and energies of every rotation block; norms are those of the state's rotated blocks.
void SetBlockTerms(const PlaneConstants& planes, const Ranges& range, std::span<const double> norms,
                   StateTerms* terms) {
  const double unscale = std::ldexp(1.0, -planes.scale_exponent);
  for (size_t i = 0; i < terms->screen.size(); ++i) {
    const auto n =
        static_cast<double>(RotationBlockOf(planes.shape.channels, static_cast<int64_t>(i)).size);
    const float table_step = StepOf(range.tables, norms[i]);
    const float activation_step = StepOf(range.activations, norms[i]);
    const double energy =
        n / std::max(1.0, n - 1.0) * norms[i] * norms[i] * unscale * unscale * kOutward;
    terms->screen_inverse_steps[i] = 1.0F / table_step;
    terms->refine_inverse_steps[i] = 1.0F / activation_step;
    terms->screen[i] = {.step = static_cast<float>(table_step * unscale),
                        .offset = 0.0F,
                        .energy = static_cast<float>(energy)};
    const double code_step = static_cast<double>(activation_step) * unscale;
    terms->two_bits.blocks[i] = {.step = static_cast<float>(kTwoBitStep * code_step),
                                 .offset = 0.0F,
                                 .energy = static_cast<float>(energy)};
    terms->three_bits.blocks[i] = {.step = static_cast<float>(kThreeBitStep * code_step),
                                   .offset = 0.0F,
                                   .energy = static_cast<float>(energy)};
  }
  terms->two_bits.factor = static_cast<float>(kTwoBitFactor);
  terms->three_bits.factor = static_cast<float>(kThreeBitFactor);
}

// What the common directions take part in, and what is certain.
void SetSharedTerms(const PlaneConstants& planes, std::span<const float> shares, double norm,
                    double radius_scale, StateTerms* terms) {
  const double unscale = std::ldexp(1.0, -planes.scale_exponent);
  terms->reach = static_cast<float>(norm * unscale * kOutward * radius_scale);
  for (size_t d = 0; d < shares.size(); ++d) {
    const double share = static_cast<double>(shares[d]) * unscale;
    terms->shares[d] = static_cast<float>(share);
    for (RefineTerms* refine : {&terms->two_bits, &terms->three_bits}) {
      const double taken = 1.0 - static_cast<double>(refine->factor);
      refine->shares[d] = static_cast<float>(share * taken);
    }
  }
}

// The most sign groups that a block has.
double MostGroups(int64_t num_channels) {
  int64_t most = 0;
  for (int64_t b = 0; b < kernels::NumRotationBlocks(num_channels); ++b) {
    most = std::max(most, kernels::SignGroups(RotationBlockOf(num_channels, b).size));
  }
  return static_cast<double>(most);
}

}  // namespace

Result<CertificateMode> ParseCertificateMode(const std::string& text) {
  CertificateMode mode;
  if (text == "deterministic") {
    mode.deterministic = true;
    return mode;
  }
  const std::string name = "probabilistic";
  if (text == name) return mode;
  if (text.rfind(name + ":", 0) == 0) {
    const char* begin = text.data() + name.size() + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = FromChars(begin, end, mode.delta);
    if (error == std::errc{} && stop == end && mode.delta > 0.0 && mode.delta <= kLargestDelta) {
      return mode;
    }
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("certificate: expected a failure probability above 0 and at most {}, "
                            "found '{}'",
                            kLargestDelta, begin));
  }
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("certificate: expected deterministic or probabilistic:DELTA, found '{}'", text));
}

std::string ToString(const CertificateMode& mode) {
  return mode.deterministic ? "deterministic" : fmt::format("probabilistic:{}", mode.delta);
}

double SignSumMultiplier(double delta) {
  constexpr double kConstant = 3.179;  // 1 / (4 (1 - Phi(sqrt 2))) = 3.17867
  constexpr double kPi = 3.14159265358979323846;
  const auto tail = [](double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); };
  const double hoeffding = HoeffdingMultiplier(delta);
  if (kConstant * tail(hoeffding) >= delta) return hoeffding;  // deltas near one
  // Newton's method on the tail's logarithm, which is concave: steps from above stay above.
  double x = hoeffding;
  for (int i = 0; i < 20; ++i) {
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2.0 * kPi);
    x += (std::log(kConstant * tail(x)) - std::log(delta)) * tail(x) / density;
  }
  return x * (1.0 + 1e-9);
}

double CertainFactor(int64_t num_channels) {
  return std::sqrt(static_cast<double>(kernels::NumRotationBlocks(num_channels) *
                                       std::max<int64_t>(1, LargestBlock(num_channels) - 1)));
}

double FullHeadSlack(bool quantised, int64_t num_channels) {
  // Quantised: up to two chained additions a block of 32, each of which can lose half a unit of a
  // partial sum, and up to four roundings of a term's factors (scales, dequantisation in binary32).
  // Floats: four chains of D / 4 and their sum.
  const auto channels = static_cast<double>(num_channels);
  const double steps = quantised ? 2.0 * channels / 32.0 + 8.0 : channels / 4.0 + 8.0;
  return steps * kUnitRoundoff * 1.01;
}

double CertainError(const kernels::PlaneShape& shape, double full_head_slack,
                    const RowParts& parts) {
  const auto k = static_cast<double>(shape.directions);
  // A share is a sum in sixteen lanes. k products are added to an estimate of at most 1.4 |r||h|,
  // twice: by the screen and by refinement. The rest of the state is k differences of two
  // roundings.
  const double share = std::sqrt(k) * (static_cast<double>(shape.channels) / 16.0 + 6.0);
  const double sums = 2.0 * (k + 2.0);
  const double rounding =
      kUnitRoundoff * (parts.coefficients * (share + sums) + parts.rest * (1.4 * sums + 3.0 * k));
  return 1.01 * (full_head_slack * parts.magnitude + parts.misfit + rounding);
}

StateTerms NewStateTerms(const kernels::PlaneShape& shape) {
  const auto blocks = static_cast<size_t>(kernels::NumRotationBlocks(shape.channels));
  StateTerms terms;
  terms.screen.resize(blocks);
  terms.screen_inverse_steps.resize(blocks);
  terms.refine_inverse_steps.resize(blocks);
  terms.shares.resize(static_cast<size_t>(shape.directions));
  for (RefineTerms* refine : {&terms.two_bits, &terms.three_bits}) {
    refine->blocks.resize(blocks);
    refine->shares.resize(terms.shares.size());
  }
  return terms;
}

bool ComputeStateTerms(const PlaneConstants& planes, const CertificateMode& mode,
                       int64_t num_winners, const StateParts& state, ScreenArithmetic arithmetic,
                       StateTerms* terms) {
  const bool on_device = arithmetic == ScreenArithmetic::kDeviceF16;
  const int64_t D = planes.shape.channels;
  const double norm = NormOf(state.hidden);
  const double rest_norm = NormOf(state.rest);
  // Written so that NaN fails.
  if (!(rest_norm >= kSmallestNorm && norm <= kLargestNorm)) return false;
  const double largest_logit = norm * planes.largest_row_norm;
  if (!(rest_norm * planes.largest_row_norm >= kSmallestNorm && largest_logit <= kLargestNorm)) {
    return false;
  }

  std::array<double, kernels::kMaxRotationBlocks> norms;
  const Ranges range = RangesOfBlocks(state.rest, state.rotated, rest_norm, &norms);
  SetBlockTerms(planes, range, norms, terms);
  SetSharedTerms(planes, state.shares, norm, mode.radius_scale, terms);
  const double certain = CertainFactor(D);
  const int64_t num_blocks = kernels::NumRotationBlocks(D);
  const double most_groups = MostGroups(D);
  const auto n = static_cast<double>(LargestBlock(D));
  const double share = mode.delta / static_cast<double>(std::max<int64_t>(1, num_winners));
  const auto multiplier = [&](double part) {
    return mode.deterministic ? certain : SignSumMultiplier(share * part);
  };
  // Table entries: an error uniform on half a step to either side, one of each group.
  const double smallest_n = static_cast<double>(std::min(D, kernels::kSmallestRotationBlock));
  const double groups_per_root = most_groups / std::sqrt(smallest_n);
  const double tables =
      on_device ? 0.0
                : (mode.deterministic ? 0.5 * range.tables * groups_per_root * certain
                                      : SignSumMultiplier(share * kShares.tables) * range.tables *
                                            std::sqrt(most_groups / 12.0)) +
                      (static_cast<double>(kernels::kSignTableSlack) + 0x1p-20) * range.tables *
                          groups_per_root * certain;
  // 8-bit activations, rounded at random: variance at most 1/4 of a step, times codes of at most
  // `largest` to either side of the middle.
  const auto activations = [&](double largest, double part) {
    return largest * ((mode.deterministic ? range.activations * std::sqrt(n) * certain
                                          : HoeffdingMultiplier(share * part) * 0.5 *
                                                range.activations * std::sqrt(n - 1.0)) +
                      kActivationSlack * range.activations * std::sqrt(n) * certain);
  };
  // Rotated states: the stored matrix, and dot products in sixteen lanes.
  const double rotation = planes.rotation_defect +
                          std::sqrt(n) * (n / 16.0 + 6.0) * kUnitRoundoff * 1.01 + kUnitRoundoff;
  // Sums of estimates in binary32, one share a block, with terms up to 2.2 times the row: entries
  // and codes are counted from 0. Of refinement, one a vector.
  const double screen_sums = 2.5 * static_cast<double>(num_blocks + 6) * kUnitRoundoff +
                             (on_device ? DeviceRounding(D) : 0.0);
  const double refine_sums =
      screen_sums +
      2.5 * static_cast<double>(kernels::RefineVectors(D) + num_blocks + 12) * kUnitRoundoff;
  const double screen_certain = certain * (rotation + kSignScaleTolerance * 1.01 + screen_sums);
  const auto refine_certain = [&](double largest_level) {
    return certain * (largest_level * rotation + kRefineScaleTolerance * 1.01 + refine_sums);
  };
  const auto radius = [&](double of_gamma, double constant) {
    const double scale = mode.radius_scale * kOutward;
    return StageRadius{.multiplier = static_cast<float>(of_gamma * scale),
                       .constant = static_cast<float>(constant * scale)};
  };
  terms->screen_radius = radius(multiplier(kShares.signs), tables + screen_certain);
  terms->two_bits.radius =
      radius(multiplier(kShares.two_bits),
             kTwoBitFactor * tables + activations(0.5 * kTwoBitStep, kShares.two_bits_activations) +
                 refine_certain(TwoBitLevel(1.0, 1)));
  terms->three_bits.radius = radius(
      multiplier(kShares.three_bits),
      kThreeBitFactor * tables + activations(1.5 * kThreeBitStep, kShares.three_bits_activations) +
          refine_certain(ThreeBitLevel(1.0, 1, 1)));
  return true;
}

}  // namespace headway::lmhead
