#include "device/coreml/place/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "device/coreml/ir/verify.h"
#include "device/coreml/place/conditions.h"

namespace headway::mil {
namespace {

// The list that a rule which holds is entered in.
std::vector<std::string>* ListOf(Verdict verdict, PlacedOp* op) {
  switch (verdict) {
    case Verdict::kCpu:
      return &op->reasons;
    case Verdict::kUnknown:
      return &op->doubts;
    case Verdict::kWarn:
      return &op->warnings;
    case Verdict::kEngine:
      break;
  }
  return &op->known;
}

void PlaceOps(const Facts& facts, const std::vector<const PlacementRule*>& rules,
              PlacementReport* report) {
  const Block& body = *facts.function.Body();
  for (size_t i = 0; i < body.operations.size(); ++i) {
    const Operation& op = body.operations[i];
    if (IsConstantOp(op.type)) continue;
    PlacedOp placed;
    placed.index = static_cast<int>(i);
    placed.type = op.type;
    placed.name = op.Name();
    placed.reasons = report->program_reasons;
    placed.doubts = report->program_doubts;
    for (const PlacementRule* rule : rules) {
      if (rule->whole_program || !OpHolds(rule->when, facts, op)) continue;
      ListOf(rule->verdict, &placed)->push_back(rule->id);
    }
    placed.device = placed.reasons.empty() ? Device::kNeuralEngine : Device::kCpu;
    if (placed.device == Device::kNeuralEngine) {
      ++report->compute_on_engine;
      if (!placed.doubts.empty()) ++report->compute_doubtful;
      if (op.type == "conv") ++report->convs_on_engine;
    }
    report->ops.push_back(std::move(placed));
  }
}

}  // namespace

Result<PlacementReport> PredictPlacement(const Function& function, const PlacementOptions& options,
                                         const std::vector<PlacementRule>& rules) {
  HW_TRY(const FunctionScope scope, VerifyFunction(function, nullptr));
  Facts facts(function, scope);
  if (options.weight_bytes) facts.weight_bytes = *options.weight_bytes;
  std::vector<const PlacementRule*> active;
  for (const PlacementRule& rule : rules) {
    const auto end = rule.platforms.end();
    const bool here =
        rule.platforms.empty() || std::find(rule.platforms.begin(), end, options.platform) != end;
    if (here) active.push_back(&rule);
  }
  PlacementReport report;
  report.histogram = CountOps(*function.Body());
  report.weight_bytes = facts.weight_bytes;
  PlacedOp whole;  // what holds of the program
  for (const PlacementRule* rule : active) {
    if (rule->whole_program && ProgramHolds(rule->when, facts))
      ListOf(rule->verdict, &whole)->push_back(rule->id);
  }
  report.program_reasons = std::move(whole.reasons);
  report.program_doubts = std::move(whole.doubts);
  report.program_warnings = std::move(whole.warnings);
  PlaceOps(facts, active, &report);
  return report;
}

}  // namespace headway::mil
