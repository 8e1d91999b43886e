#include "device/coreml/shard_prediction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>

namespace headway::coreml {
namespace {

// "rule int4-blocks (likely: 0 of 24 convolutions on the engine; against it: ...)"
std::string RuleText(const std::string& rule_id) {
  for (const mil::PlacementRule& rule : mil::BuiltInPlacementRules()) {
    if (rule.id != rule_id) continue;
    std::string text = fmt::format("rule {} ({}: {}", rule_id, mil::NameOf(rule.certainty),
                                   rule.evidence.front().evidence);
    if (!rule.against.empty())
      text += fmt::format("; against it: {}", rule.against.front().evidence);
    return text + ")";
  }
  return fmt::format("rule {}", rule_id);
}

std::vector<std::string> RuleTexts(const std::vector<std::string>& rule_ids) {
  std::vector<std::string> texts(rule_ids.size());
  std::transform(rule_ids.begin(), rule_ids.end(), texts.begin(), RuleText);
  return texts;
}

}  // namespace

Residency ToResidency(const Result<mil::PlacementReport>& report) {
  Residency residency{.basis = "predicted"};
  if (!report) {
    residency.ops.push_back({.op = "program",
                             .name = "main",
                             .where = "?",
                             .counts = true,
                             .resident = false,
                             .reason = report.error().message});
    return residency;
  }
  residency.warnings = RuleTexts(report->program_warnings);
  for (const mil::PlacedOp& op : report->ops) {
    const bool resident = op.device == mil::Device::kNeuralEngine;
    residency.ops.push_back({.op = "ios18." + op.type,
                             .name = op.name,
                             .where = resident ? "neural engine" : "cpu",
                             .counts = true,
                             .resident = resident,
                             .reason = fmt::format("{}", fmt::join(RuleTexts(op.reasons), "; ")),
                             .warnings = RuleTexts(op.warnings),
                             .doubts = RuleTexts(op.doubts)});
  }
  return residency;
}

Result<ExpectedOps> PredictOps(const mil::Model& model, int64_t weight_bytes) {
  ExpectedOps expected;
  for (const auto& [name, function] : model.program.functions) {
    HW_TRY(const mil::PlacementReport report,
           mil::PredictPlacement(function, {.weight_bytes = weight_bytes}));
    expected.basis = report.basis;
    expected.compute_total += report.histogram.num_compute;
    expected.compute_ane += report.compute_on_engine;
    expected.compute_contested += report.compute_doubtful;
    expected.conv_total += report.histogram.num_convs;
    expected.conv_ane += report.convs_on_engine;
    for (const auto& [op, count] : report.histogram.ops) expected.histogram[op] += count;
  }
  return expected;
}

}  // namespace headway::coreml
