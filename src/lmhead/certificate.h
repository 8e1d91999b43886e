#pragma once

// From a hidden state to the radii of its estimates: how delta is divided among the ways to fail,
// and the numbers that the kernels multiply. The derivation, term by term: docs/certified_head.md.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/plane_kernels.h"

namespace headway::lmhead {

// What a certified head promises: deterministically, or with failure probability delta a token.
inline constexpr double kDefaultDelta = 1e-9;
inline constexpr double kLargestDelta = 0.1;

struct CertificateMode {
  bool deterministic = false;
  double delta = kDefaultDelta;  // total per token, over all stages
  // Multiplies every radius. For tests, which must be able to fail: anything below 1 voids the
  // certificate.
  double radius_scale = 1.0;

  friend bool operator==(const CertificateMode&, const CertificateMode&) = default;
};

// "deterministic", "probabilistic", "probabilistic:1e-12". Errors: kInvalidInput, with what was
// expected; a delta outside (0, 0.1] among them.
Result<CertificateMode> ParseCertificateMode(const std::string& text);
std::string ToString(const CertificateMode& mode);

// x with P(X > x sqrt(sum of squared sizes)) <= delta for sums X of independent fair signs with
// fixed sizes: 3.179 (1 - Phi(x)) = delta (Bentkus and Dzindzalieta, "A tight Gaussian bound for
// weighted sums of Rademacher random variables", 2015). A coordinate of a uniform direction is such
// a sum, given the sizes of its channels, and so is a uniform number.
double SignSumMultiplier(double delta);

// What is known of a matrix and its planes before any token.
struct PlaneConstants {
  kernels::PlaneShape shape;
  int scale_exponent = 0;         // stored terms but gammas are times 2^exponent
  double rotation_defect = 0.0;   // largest over blocks
  double largest_row_norm = 0.0;  // of any row
};

// sqrt(B (n - 1)): sum_b scale_b sqrt(n_b) |h_b| <= this * sqrt(energy). Turns certain errors into
// multiples of the radius' unit.
double CertainFactor(int64_t num_channels);

// |logit of the full head's kernel - w.h| <= this * sum_b |w_b||h_b|, where |w_b| is the norm of
// what the kernel adds up. Source: docs/arithmetic.md, standard model of rounding.
double FullHeadSlack(bool quantised, int64_t num_channels);

// A row cut into its shares of the common directions U and a rest: w = U^T c + r.
struct RowParts {
  double magnitude = 0.0;     // norm of what the full head's kernel adds up
  double coefficients = 0.0;  // |c| as stored
  double rest = 0.0;          // |r|
  double misfit = 0.0;        // |U r|: what rounding the coefficients has left there
};

// What is certain of a row's error, over |h|: the full head's own rounding, that of coefficients
// and shares, and that of the state's rest. The row's stored slack.
double CertainError(const kernels::PlaneShape& shape, double full_head_slack,
                    const RowParts& parts);

// The radius of one stage: (multiplier * gamma_i + constant) * sqrt(energy_i) + slack_i * reach.
struct StageRadius {
  float multiplier = 0.0F;
  float constant = 0.0F;
};

// What refinement to two bits, or to three, needs for one hidden state.
struct RefineTerms {
  std::vector<kernels::BlockTerms> blocks;  // [blocks]
  StageRadius radius;
  float factor = 0.0F;        // of the screen's estimate
  std::vector<float> shares;  // [directions]: what the factor takes from them
};

// What the kernels need for one hidden state.
struct StateTerms {
  std::vector<kernels::BlockTerms> screen;  // [blocks]
  std::vector<float> screen_inverse_steps;
  StageRadius screen_radius;
  std::vector<float> shares;  // [directions]
  std::vector<float> refine_inverse_steps;
  RefineTerms two_bits;
  RefineTerms three_bits;
  float reach = 0.0F;
};

StateTerms NewStateTerms(const kernels::PlaneShape& shape);

// A state as the planes see it: h = sum_d share_d U_d + rest.
struct StateParts {
  std::span<const float> hidden;   // [D], what the full head multiplies
  std::span<const float> shares;   // [directions]
  std::span<const float> rest;     // [D]
  std::span<const float> rotated;  // [D], the rotated rest
};

// Who multiplies the signs, and in which numbers.
enum class ScreenArithmetic : uint8_t {
  kTables,     // the host's tables of 8-bit sums (kernels/plane_kernels.h)
  kDeviceF16,  // a device in 16-bit floats (device_signs.h)
};

// Fills `terms` for one state. `num_winners`: rows whose loss would be an error (1, or k of top-k);
// each gets delta / num_winners. False when the state is out of the range that binary32 bounds can
// serve (all zeros, not finite, far from 1): such a state belongs to the full head. Offsets are
// left 0: they come with the noise. No allocation.
bool ComputeStateTerms(const PlaneConstants& planes, const CertificateMode& mode,
                       int64_t num_winners, const StateParts& state, ScreenArithmetic arithmetic,
                       StateTerms* terms);

}  // namespace headway::lmhead
