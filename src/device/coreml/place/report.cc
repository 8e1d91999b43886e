#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "device/coreml/ir/printer.h"
#include "device/coreml/place/predict.h"

namespace headway::mil {
namespace {

std::string Explain(const std::string& id, const std::vector<PlacementRule>& rules) {
  for (const PlacementRule& rule : rules) {
    if (rule.id != id) continue;
    std::string text = fmt::format("    {} ({}):\n", id, NameOf(rule.certainty));
    for (const Evidence& e : rule.evidence)
      text += fmt::format("      for: {} [{}]\n", e.evidence, e.source);
    for (const Evidence& e : rule.against)
      text += fmt::format("      against: {} [{}]\n", e.evidence, e.source);
    return text;
  }
  return fmt::format("    {}\n", id);
}

}  // namespace

std::string PrintPlacement(const PlacementReport& report, const std::vector<PlacementRule>& rules) {
  std::string text = fmt::format(
      "{} placement{}: {} of {} compute ops, {} of {} convs on the Neural Engine{}; {:.1f} MB of "
      "weights\n",
      report.basis, report.compute_doubtful > 0 ? ", contested" : "", report.compute_on_engine,
      report.histogram.num_compute, report.convs_on_engine, report.histogram.num_convs,
      report.compute_doubtful > 0
          ? fmt::format(" ({} of them by rules that leave it open)", report.compute_doubtful)
          : "",
      static_cast<double>(report.weight_bytes) / 1e6);
  text += "  " + PrintHistogram(report.histogram) + "\n";
  std::map<std::string, std::vector<std::string>> moved;  // rule -> ops
  std::map<std::string, int> open;                        // rule -> count
  std::map<std::string, int> warned;
  for (const std::string& id : report.program_warnings) warned[id] += 1;
  for (const PlacedOp& op : report.ops) {
    for (const std::string& id : op.reasons)
      moved[id].push_back(fmt::format("{} ({})", op.name, op.type));
    for (const std::string& id : op.doubts) open[id] += 1;
    for (const std::string& id : op.warnings) warned[id] += 1;
  }
  for (const auto& [id, ops] : moved) {
    text += fmt::format("  CPU, {}: {} ops, first {}\n", report.basis, ops.size(), ops.front()) +
            Explain(id, rules);
  }
  for (const auto& [id, count] : open)
    text += fmt::format("  open, {} ops\n", count) + Explain(id, rules);
  for (const auto& [id, count] : warned)
    text += fmt::format("  warning, {} times\n", count) + Explain(id, rules);
  return text;
}

std::string FormatPlacementJson(const PlacementReport& report) {
  nlohmann::ordered_json root;
  root["basis"] = report.basis;
  root["compute_total"] = report.histogram.num_compute;
  root["compute_ane"] = report.compute_on_engine;
  root["compute_contested"] = report.compute_doubtful;
  root["conv_total"] = report.histogram.num_convs;
  root["conv_ane"] = report.convs_on_engine;
  root["weight_bytes"] = report.weight_bytes;
  root["histogram"] = report.histogram.ops;
  root["program_reasons"] = report.program_reasons;
  root["program_doubts"] = report.program_doubts;
  root["program_warnings"] = report.program_warnings;
  root["ops"] = nlohmann::ordered_json::array();
  for (const PlacedOp& op : report.ops) {
    nlohmann::ordered_json item;
    item["index"] = op.index;
    item["op"] = "ios18." + op.type;  // as MLComputePlan names ops of this opset
    item["name"] = op.name;
    item["device"] = op.device == Device::kNeuralEngine ? "neural_engine" : "cpu";
    item["reasons"] = op.reasons;
    item["doubts"] = op.doubts;
    item["warnings"] = op.warnings;
    item["known"] = op.known;
    root["ops"].push_back(std::move(item));
  }
  return root.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace headway::mil
