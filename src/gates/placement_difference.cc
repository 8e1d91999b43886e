#include "gates/placement_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

namespace headway::gates {
namespace {

struct Moved {
  int count = 0;
  std::string first;  // its name
  double cost = 0;
};

std::string PredictionOf(const OpPlacement& op) {
  return op.predicted.empty() ? "no such op" : op.predicted;
}

}  // namespace

std::string PlacementDifference(const Residency& residency) {
  const bool has_both = std::any_of(residency.ops.begin(), residency.ops.end(),
                                    [](const OpPlacement& op) { return !op.predicted.empty(); });
  if (!has_both) return "";
  size_t same = 0;
  size_t told = 0;
  std::map<std::tuple<std::string, std::string, std::string>, Moved> moved;
  for (const OpPlacement& op : residency.ops) {
    if (!op.counts) continue;
    ++told;
    if (op.where == op.predicted) {
      ++same;
      continue;
    }
    Moved& kind = moved[{op.op, PredictionOf(op), op.where}];
    if (kind.count++ == 0) kind.first = op.name;
    kind.cost += op.cost.value_or(0.0);
  }
  std::string text = fmt::format("    {} of {} ops as predicted\n", same, told);
  for (const auto& [key, kind] : moved) {
    const auto& [op, predicted, measured] = key;
    fmt::format_to(std::back_inserter(text),
                   "    {} op{} {}, the first {}, {:.1f} % of the estimated cost\n"
                   "      - predicted {}\n      + measured {}\n",
                   kind.count, kind.count == 1 ? "" : "s", op, kind.first, 100 * kind.cost,
                   predicted, measured);
  }
  return text;
}

}  // namespace headway::gates
