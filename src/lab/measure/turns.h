#pragma once

// Comparisons that hold on a noisy machine: variants run in turns (A B C A B C ...), and what is
// reported is the median and the ratio to the first variant round by round, with an interval.

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"

namespace headway::measure {

struct Spread {
  double median = 0.0;
  // A distribution-free interval for the median, 95 % or as near as the count allows.
  double low = 0.0;
  double high = 0.0;
  double min = 0.0;
  double max = 0.0;
};

// Of at least one sample. The interval is that of order statistics: its confidence does not depend
// on the distribution. Source: Conover, Practical Nonparametric Statistics, section 3.2.
Spread Summarise(std::vector<double> samples);

struct TurnResult {
  Spread value;
  Spread ratio_to_first;  // this round's value / this round's first variant's
};

// What is measured; an error ends the measuring.
using Variant = std::function<Result<double>()>;

// Calls every variant once per round, in order; the values of `warm_up_rounds` first rounds are
// dropped.
Result<std::vector<TurnResult>> MeasureInTurns(const std::vector<Variant>& variants, int rounds,
                                               int warm_up_rounds);

// The value below which `percent` % of the samples lie; 0 without samples.
uint64_t Percentile(const std::vector<uint64_t>& samples, double percent);

}  // namespace headway::measure
