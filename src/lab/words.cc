#include "lab/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::lab {
namespace {

std::string Names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::string Verb(size_t count) { return count == 1 ? "is" : "are"; }

// How the baseline's head stands to the memory's speed.
void AppendFloor(const Results& results, const VariantResult& baseline,
                 std::vector<std::string>* sentences) {
  if (baseline.samples.empty() || results.bandwidth.empty()) return;
  const double bytes = Median(baseline, &Sample::head_bytes);
  const double ns = Median(baseline, &Sample::predict_ns);
  const double step = Median(baseline, &Sample::step_ns);
  const double head = Median(baseline, &Sample::head_ns);
  const double bandwidth = measure::Summarise(results.bandwidth).median;
  const double floor = bytes / bandwidth * 1e9;
  sentences->push_back(fmt::format(
      "The baseline's head takes {} of a step of {} ({:.0f} %). It reads {} a token in {}: {:.1f} "
      "GB/s.",
      Time(head), Time(step), 100 * head / step, Bytes(bytes), Time(ns), bytes / ns));
  if (ns >= floor) {
    sentences->push_back(fmt::format(
        "This machine's memory gives {:.1f} GB/s to plain reading, so reading those "
        "bytes once takes at least {}: {:.0f} % of the head's projection is that floor.",
        bandwidth * 1e-9, Time(floor), 100 * floor / ns));
  } else {
    sentences->push_back(fmt::format(
        "Plain reading from memory gives {:.1f} GB/s here: the head is faster than that because "
        "its {} stay in the processor's cache. Conclusions about memory need a larger model.",
        bandwidth * 1e-9, Bytes(bytes)));
  }
}

// "residency, predicted"
std::string FailedGates(const VariantResult& variant) {
  std::string text;
  for (const GateRecord& record : variant.gates) {
    if (record.Failed())
      text += fmt::format("{}{}, {}", text.empty() ? "" : "; ", record.gate, record.basis);
  }
  return text;
}

}  // namespace

std::string Time(double ns) {
  const auto digits = [](double value) { return value >= 100 ? 0 : value >= 10 ? 1 : 2; };
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  const double scaled = ns < 1e6 ? ns * 1e-3 : ns < 1e9 ? ns * 1e-6 : ns * 1e-9;
  return fmt::format("{:.{}f} {}", scaled, digits(scaled),
                     ns < 1e6   ? "\u00b5s"
                     : ns < 1e9 ? "ms"
                                : "s");
}

std::string Bytes(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.0f} kB", bytes * 1e-3);
  return bytes < 1e9 ? fmt::format("{:.1f} MB", bytes * 1e-6)
                     : fmt::format("{:.2f} GB", bytes * 1e-9);
}

std::string Ratio(const measure::Spread& ratio) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.median, ratio.low, ratio.high);
}

std::string Describe(const VariantSpec& variant) {
  const bool even = variant.topology.find(':') == std::string::npos;
  std::string text =
      even ? fmt::format("{}, {} layer{} a shard, head {}", variant.device, variant.topology,
                         variant.topology == "1" ? "" : "s", variant.head)
           : fmt::format("{}, layers {}, head {}", variant.device, variant.topology, variant.head);
  if (!variant.weights.empty()) text += ", weights " + variant.weights;
  if (variant.batch_tokens > 1) text += fmt::format(", {} tokens a step", variant.batch_tokens);
  if (variant.threads > 0) text += fmt::format(", {} threads", variant.threads);
  if (!variant.note.empty()) text += "; " + variant.note;
  return text;
}

std::string MetricName(Metric metric) {
  switch (metric) {
    case Metric::kHead:
      return "head time a token";
    case Metric::kLayers:
      return "layer time a token";
    case Metric::kStep:
      return "step time a token";
  }
  return "";
}

std::string Outcome(const Spec& spec, const Results& results, const VariantResult& variant) {
  const Comparison comparison = Compare(spec, results, variant);
  if (IsWide(comparison)) return "tied (too noisy to tell)";
  if (comparison.verdict != Verdict::kNone) return ToString(comparison.verdict);
  return ToString(variant.status == Status::kReady ? Status::kPending : variant.status);
}

bool IsWide(const Comparison& comparison) {
  constexpr double kWide = 0.2;
  return comparison.verdict == Verdict::kTied &&
         comparison.ratio.high - comparison.ratio.low > kWide;
}

std::string SameTokens(const Spec& spec, const Results& results, const VariantResult& variant) {
  const VariantResult* baseline = Baseline(spec, results);
  if (baseline == nullptr || baseline == &variant || variant.samples.empty() ||
      baseline->samples.empty() || variant.spec.batch_tokens != baseline->spec.batch_tokens)
    return "";
  const std::string& expected = baseline->samples.front().tokens_hash;
  return std::all_of(variant.samples.begin(), variant.samples.end(),
                     [&](const Sample& sample) { return sample.tokens_hash == expected; })
             ? "yes"
             : "no";
}

std::vector<std::string> Findings(const Spec& spec, const Results& results) {
  std::vector<std::string> better;
  std::vector<std::string> tied;
  std::vector<std::string> worse;
  std::vector<std::string> noisy;
  std::vector<std::string> failed;
  std::vector<std::string> untimed;
  std::vector<std::string> missing;
  for (const VariantResult& variant : results.variants) {
    const std::string& name = variant.spec.name;
    const Comparison comparison = Compare(spec, results, variant);
    const std::string with_ratio = fmt::format("{} ({:.2f})", name, comparison.ratio.median);
    if (comparison.verdict == Verdict::kBetter) better.push_back(with_ratio);
    if (comparison.verdict == Verdict::kTied)
      (IsWide(comparison) ? noisy : tied).push_back(with_ratio);
    if (comparison.verdict == Verdict::kWorse) worse.push_back(with_ratio);
    if (variant.status == Status::kFailedGate)
      failed.push_back(name + " (" + FailedGates(variant) + ")");
    if (variant.status == Status::kNoDevice) untimed.push_back(name);
    if (variant.status == Status::kNotAvailable) missing.push_back(name);
  }
  std::vector<std::string> sentences;
  const auto add = [&](const std::vector<std::string>& names, const std::string& what) {
    if (!names.empty())
      sentences.push_back(fmt::format("{} {} {}.", Names(names), Verb(names.size()), what));
  };
  const std::string against = fmt::format("than {} in {}", spec.baseline, MetricName(spec.metric));
  add(better, "better " + against);
  add(tied, spec.at_least > 0
                ? fmt::format("tied with {}: no difference of {:.0f} % or more is shown",
                              spec.baseline, 100 * spec.at_least)
                : fmt::format("tied with {}: the interval of the ratio contains 1", spec.baseline));
  add(worse, "worse " + against);
  add(noisy, "undecided: the interval is wider than 20 %, the machine was too busy");
  add(failed, "stopped by a gate and not timed");
  add(untimed,
      "gated and predicted only: the device is not in this machine, so there is no verdict "
      "on speed");
  add(missing, "not available in this version");
  if (const VariantResult* baseline = Baseline(spec, results))
    AppendFloor(results, *baseline, &sentences);
  return sentences;
}

std::string CoverInWords(const TopologyFinding& finding, const std::array<const char*, 2>& code,
                         const std::array<const char*, 2>& strong) {
  std::string text = "The measured shards that passed the gates do not cover all layers.";
  if (finding.cheapest) {
    text = fmt::format(
        "Among all covers that can be put together from the {} measured shards, {}{}{} is the "
        "cheapest: {} a token ({}measured{}: the sum of the shards' medians).",
        finding.measured.size(), code[0], Text(*finding.cheapest), code[1],
        Time(finding.cheapest->ns), strong[0], strong[1]);
  }
  if (finding.bound_ns <= 0) return text;
  if (finding.cheapest && finding.cheapest->ns <= finding.bound_ns) {
    return text + fmt::format(
                      " There is no {}lower bound{} to hold against it: reading the layers' bytes "
                      "at the memory's measured bandwidth would take {}, but these layers stay in "
                      "the processor's cache.",
                      strong[0], strong[1], Time(finding.bound_ns));
  }
  text += fmt::format(
      " No cover, measured or not, can take less than {} ({}lower bound{}: the layers' bytes "
      "divided by the memory's measured bandwidth)",
      Time(finding.bound_ns), strong[0], strong[1]);
  if (!finding.cheapest) return text + ".";
  return text + fmt::format(", so that cutting differently can save {:.0f} % at the very most.",
                            100 * (1 - finding.bound_ns / finding.cheapest->ns));
}

std::vector<std::string> Surprises(const Spec& spec, const Results& results) {
  std::vector<std::string> surprises;
  for (const VariantResult& variant : results.variants) {
    const VariantSpec& s = variant.spec;
    const Comparison comparison = Compare(spec, results, variant);
    const bool judged =
        comparison.verdict != Verdict::kNone && comparison.verdict != Verdict::kBaseline;
    if (judged && !s.expect.empty() && s.expect != ToString(comparison.verdict)) {
      surprises.push_back(fmt::format("{}: expected {}, found {}: {}", s.name, s.expect,
                                      ToString(comparison.verdict), Ratio(comparison.ratio)));
    }
    if (SameTokens(spec, results, variant) == "no")
      surprises.push_back(fmt::format("{}: decoded other tokens than {}", s.name, spec.baseline));
  }
  return surprises;
}

}  // namespace headway::lab
