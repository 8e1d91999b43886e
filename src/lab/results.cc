#include "lab/results.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::lab {

const char* ToString(Status status) {
  switch (status) {
    case Status::kPending:
      return "pending";
    case Status::kNotAvailable:
      return "not available";
    case Status::kFailedGate:
      return "failed a gate";
    case Status::kReady:
      return "measured";
    case Status::kNoDevice:
      return "gated, not timed";
  }
  return "";
}

const char* ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNone:
      return "none";
    case Verdict::kBaseline:
      return "baseline";
    case Verdict::kBetter:
      return "better";
    case Verdict::kTied:
      return "tied";
    case Verdict::kWorse:
      return "worse";
  }
  return "";
}

double Value(const Sample& sample, Metric metric) {
  switch (metric) {
    case Metric::kHead:
      return sample.head_ns;
    case Metric::kLayers:
      return sample.layers_ns;
    case Metric::kStep:
      return sample.step_ns;
  }
  return 0;
}

const VariantResult* Baseline(const Spec& spec, const Results& results) {
  const auto found =
      std::find_if(results.variants.begin(), results.variants.end(),
                   [&](const VariantResult& v) { return v.spec.name == spec.baseline; });
  return found == results.variants.end() ? nullptr : &*found;
}

Comparison Compare(const Spec& spec, const Results& results, const VariantResult& variant) {
  Comparison comparison;
  if (variant.status != Status::kReady || variant.samples.empty()) return comparison;
  std::vector<double> values;
  for (const Sample& sample : variant.samples) values.push_back(Value(sample, spec.metric));
  comparison.ns = measure::Summarise(values);
  const VariantResult* baseline = Baseline(spec, results);
  if (baseline == &variant) {
    comparison.verdict = Verdict::kBaseline;
    comparison.ratio = {.median = 1, .low = 1, .high = 1, .min = 1, .max = 1};
    return comparison;
  }
  if (baseline == nullptr || baseline->samples.empty()) return comparison;
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(values.size(), baseline->samples.size()); ++i)
    ratios.push_back(values[i] / Value(baseline->samples[i], spec.metric));
  comparison.ratio = measure::Summarise(ratios);
  comparison.verdict = Verdict::kTied;
  if (comparison.ratio.high < 1 - spec.at_least) comparison.verdict = Verdict::kBetter;
  if (comparison.ratio.low > 1 + spec.at_least) comparison.verdict = Verdict::kWorse;
  return comparison;
}

double Median(const VariantResult& variant, double Sample::*field) {
  if (variant.samples.empty()) return 0;
  std::vector<double> values;
  for (const Sample& sample : variant.samples) values.push_back(sample.*field);
  return measure::Summarise(values).median;
}

int RoundsDone(const Results& results) {
  size_t rounds = SIZE_MAX;
  for (const VariantResult& variant : results.variants) {
    if (variant.status == Status::kReady) rounds = std::min(rounds, variant.samples.size());
  }
  return rounds == SIZE_MAX ? 0 : static_cast<int>(rounds);
}

}  // namespace headway::lab
