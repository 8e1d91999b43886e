#pragma once

// Comparisons that hold on a noisy machine: variants run in turns (A B C A B C ...), and what is
// reported is the median and the ratio to the first variant round by round, with an interval.

#include <cstdint>
#include <functional>
#include <vector>

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

// Calls every variant once per round, in order; the values of `warm_up_rounds` first rounds are
// dropped.
std::vector<TurnResult> MeasureInTurns(const std::vector<std::function<double()>>& variants,
                                       int rounds, int warm_up_rounds);

}  // namespace headway::measure
