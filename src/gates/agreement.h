#pragma once

// How closely the logits of a session follow the straight-line reference, teacher-forced: both see
// the same tokens, whatever they would have chosen. Used by `headway eval agreement` and the parity
// tests.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "gates/perplexity.h"
#include "truth/straightline/straight_line.h"

namespace headway::gates {

// One position where the two would choose different tokens.
struct Mismatch {
  int64_t position = 0;
  int32_t reference_token = 0;
  int32_t token = 0;
  double reference_gap = 0;  // how far the reference's best logit is above its second best
};

struct AgreementReport {
  int64_t positions = 0;
  std::vector<Mismatch> mismatches;
  double largest_logit_error = 0;  // over all positions and tokens
  double rms_logit_error = 0;
  double mean_kl = 0;  // KL(reference || session) of next-token distributions, nats a token
  double largest_kl = 0;
  double perplexity_of_reference = 0;  // of the text, given all tokens before
  double perplexity = 0;

  double TopOneAgreement() const {
    return 1.0 - static_cast<double>(mismatches.size()) / static_cast<double>(positions);
  }
  // Mismatches that the measured error does not explain: the reference's best stands further above
  // its second best than the largest difference of any two logits. A faithful computation has none.
  int64_t UnexplainedMismatches() const;
};

// Compares all positions of `ids`. Errors: those of the reference and of the source.
Result<AgreementReport> Compare(std::span<const int32_t> ids,
                                const straightline::StraightLine& reference,
                                const LogitsSource& source);

// What Compare measures at one position, for rows given directly.
//   reference: [V]   logits: [V]
struct RowComparison {
  int32_t reference_token = 0;
  int32_t token = 0;
  double reference_gap = 0;
  double largest_error = 0;
  double squared_error = 0;  // summed over V
  double kl = 0;
};
RowComparison CompareRows(std::span<const double> reference, std::span<const float> logits);

}  // namespace headway::gates
