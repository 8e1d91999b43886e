#pragma once

// How many tokens to draft: what pays by measured costs, and never at a loss beyond a set share.
// Plain arithmetic on what it is told, so that a test can play any machine.

#include <cstdint>
#include <vector>

namespace headway {

class DraftLength {
 public:
  // What drafting may cost in all, as a share of the time that the same tokens would have taken
  // without it.
  static constexpr double kAllowedLoss = 0.02;

  explicit DraftLength(int64_t most_drafts);

  // The number of drafts for the next step, 0 to most_drafts: the one with the most tokens a
  // nanosecond, if that is more than a plain step gives and the loss, should all of them be wrong,
  // stays allowed. 0 until two plain steps were seen.
  int64_t Best() const;

  // A step with `drafts` drafts, of which `accepted` were right, took `ns`, drafting included.
  void SawStep(int64_t drafts, int64_t accepted, uint64_t ns);
  // Guesses that did not run: `right` in a row came true; `failed`: the next one did not.
  void SawGuesses(int64_t right, bool failed);

  double AcceptanceRate() const;
  // Time lost so far against plain steps in ns; negative: gained.
  double LossNs() const { return loss_ns_; }

 private:
  double CostNs(int64_t drafts) const;

  std::vector<double> cost_ns_;  // by drafts; 0: not seen
  int64_t plain_steps_ = 0;
  double tokens_ = 0;   // chosen so far
  double loss_ns_ = 0;  // of the steps with drafts
  double right_ = 0;    // drafts that were right and runs that ended in a wrong one, fading
  double wrong_ = 0;
};

}  // namespace headway
