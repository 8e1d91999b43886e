#include "device/coreml/shard_prediction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>

namespace headway::coreml {
namespace {

Result<mil::PlacementReport> Predict(const mil::Model& model,
                                     const mil::PlacementOptions& options) {
  const auto main = model.program.functions.find("main");
  if (main == model.program.functions.end()) {
    return Fail(ErrorCode::kUnsupported, "expected a function 'main', found none");
  }
  return mil::PredictPlacement(main->second, options);
}

// "rule int4-blocks (0 of 24 convolutions on the engine in ...)"
std::string RuleText(const std::string& rule_id) {
  for (const mil::PlacementRule& rule : mil::BuiltInPlacementRules()) {
    if (rule.id == rule_id) return fmt::format("rule {} ({})", rule_id, rule.evidence);
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
                             .warnings = RuleTexts(op.warnings)});
  }
  return residency;
}

Result<ExpectedOps> PredictOps(const mil::Model& model, int64_t weight_bytes) {
  HW_TRY(const mil::PlacementReport report, Predict(model, {.weight_bytes = weight_bytes}));
  return ExpectedOps{.basis = report.basis,
                     .compute_total = report.histogram.num_compute,
                     .compute_ane = report.compute_on_engine,
                     .conv_total = report.histogram.num_convs,
                     .conv_ane = report.convs_on_engine,
                     .histogram = report.histogram.ops};
}

}  // namespace headway::coreml
