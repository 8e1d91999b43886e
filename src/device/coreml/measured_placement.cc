#include "device/coreml/measured_placement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <map>
#include <set>

#include "device/coreml/shard_prediction.h"

namespace headway::coreml {
namespace {

constexpr const char* kWanted = "neural engine";

// "ios18.conv": "conv".
std::string WithoutOpset(const std::string& type) {
  const size_t dot = type.rfind('.');
  return dot == std::string::npos ? type : type.substr(dot + 1);
}

bool MultipliesMatrices(const std::string& type) {
  return type == "conv" || type == "linear" || type == "matmul";
}

// Finds predicted ops by the value that they make; those that make none (write_state) by their type,
// in order.
class Predictions {
 public:
  Predictions(const mil::Function& function, const mil::PlacementReport& report)
      : residency_(ToResidency(report)), report_(report), found_(report.ops.size()) {
    for (size_t i = 0; i < report.ops.size(); ++i) {
      const mil::Operation& op =
          function.Body()->operations[static_cast<size_t>(report.ops[i].index)];
      if (op.outputs.empty()) {
        without_output_[op.type].push_back(i);
      } else {
        by_output_[op.outputs.front().name] = i;
      }
    }
  }

  // Null: none was predicted.
  const OpPlacement* Take(const std::string& type, const std::string& output) {
    std::optional<size_t> index;
    if (!output.empty()) {
      const auto found = by_output_.find(output);
      if (found != by_output_.end()) index = found->second;
    } else if (std::vector<size_t>& left = without_output_[type]; !left.empty()) {
      index = left.front();
      left.erase(left.begin());
    }
    if (!index) return nullptr;
    found_[*index] = true;
    return &residency_.ops[*index];
  }

  std::vector<std::string> NotTaken() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < found_.size(); ++i) {
      if (!found_[i]) names.push_back(report_.ops[i].name);
    }
    return names;
  }
  const std::vector<std::string>& Warnings() const { return residency_.warnings; }

 private:
  const Residency residency_;
  const mil::PlacementReport& report_;
  std::map<std::string, size_t> by_output_;
  std::map<std::string, std::vector<size_t>> without_output_;
  std::vector<bool> found_;
};

std::string ReasonOf(const MeasuredOp& op) {
  if (op.where.empty()) return "Core ML does not tell where it runs";
  return fmt::format("Core ML prefers the {}; it could run on: {}", op.where,
                     op.supported.empty() ? "nothing that it names"
                                          : fmt::format("{}", fmt::join(op.supported, ", ")));
}

}  // namespace

Residency MeasuredResidency(const mil::Function& function, const mil::PlacementReport& predicted,
                            const std::vector<MeasuredOp>& ops) {
  Predictions predictions(function, predicted);
  Residency residency{.basis = "measured", .ops = {}, .warnings = predictions.Warnings()};
  size_t silent = 0;
  for (const MeasuredOp& op : ops) {
    const std::string type = WithoutOpset(op.type);
    if (mil::IsConstantOp(type)) continue;
    const OpPlacement* const expected = predictions.Take(type, op.output);
    if (op.where.empty()) ++silent;
    OpPlacement placed{.op = "ios18." + type,
                       .name = expected == nullptr ? op.output : expected->name,
                       .where = op.where.empty() ? "not told" : op.where,
                       .counts = !op.where.empty() || MultipliesMatrices(type),
                       .resident = op.where == kWanted,
                       .reason = "",
                       .warnings = {},
                       .predicted = expected == nullptr ? "" : expected->where,
                       .cost = op.cost};
    if (expected != nullptr) placed.warnings = expected->warnings;
    if (!placed.resident) placed.reason = ReasonOf(op);
    residency.ops.push_back(std::move(placed));
  }
  const bool tells_nothing = silent == residency.ops.size();
  if (silent > 0)
    residency.warnings.push_back(fmt::format("Core ML does not tell where {} ops run", silent));
  const std::vector<std::string> missing = predictions.NotTaken();
  if (!missing.empty()) {
    residency.warnings.push_back(
        fmt::format("{} ops of the package are not in Core ML's plan, the first: {}",
                    missing.size(), missing.front()));
  }
  if (tells_nothing) {
    residency.ops.push_back({.op = "program",
                             .name = "main",
                             .where = "?",
                             .counts = true,
                             .resident = false,
                             .reason = "Core ML's plan tells of no op where it runs"});
  }
  return residency;
}

}  // namespace headway::coreml
