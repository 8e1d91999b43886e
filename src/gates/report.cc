#include "gates/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "gates/placement_difference.h"

namespace headway::gates {
namespace {

template <class... Values>
void Append(std::string* out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(*out), format, std::forward<Values>(values)...);
}

void AppendResidency(const GateReport& report, std::string* out) {
  for (const ShardPlacement& shard : report.residency) {
    Append(out, "  {:<28} {}\n", shard.shard, Summarise(shard.residency));
    for (const OpPlacement& op : shard.residency.ops) {
      if (op.counts && !op.resident)
        Append(out, "    not resident: {} {} on {}: {}\n", op.op, op.name, op.where, op.reason);
    }
    *out += PlacementDifference(shard.residency);
    std::map<std::string, int> doubted;
    for (const OpPlacement& op : shard.residency.ops)
      for (const std::string& doubt : op.doubts) ++doubted[doubt];
    for (const auto& [doubt, count] : doubted)
      Append(out, "    open, {} op{}: {}\n", count, count == 1 ? "" : "s", doubt);
    std::map<std::string, int> warned;  // how often, the shard itself counting once
    for (const std::string& warning : shard.residency.warnings) ++warned[warning];
    for (const OpPlacement& op : shard.residency.ops)
      for (const std::string& warning : op.warnings) ++warned[warning];
    for (const auto& [warning, count] : warned)
      Append(out, "    warning, {} time{}: {}\n", count, count == 1 ? "" : "s", warning);
  }
}

void AppendArithmetic(const GateReport& report, std::string* out) {
  Append(out, "  {:<44} {:>10} {:>14} {:>10} {:>10}\n", "compared", "RMS", "worst channel",
         "cosine", "largest");
  for (const Check& check : report.arithmetic) {
    const Difference& d = check.difference;
    Append(out, "  {:<44} {:>10.2g} {:>14.2g} {:>10.6f} {:>10.2g}\n", check.subject, d.relative,
           d.worst_channel, d.cosine, d.largest);
    if (!check.problem.empty()) Append(out, "    failed: {}\n", check.problem);
  }
}

void AppendQuality(const QualityFigures& q, std::string* out) {
  Append(out, "  hidden states: lowest cosine {:.6f} over {} positions\n", q.cosine, q.positions);
  if (q.has_logits)
    Append(out, "  next-token distributions: KL {:.2g} nats a token mean, {:.2g} largest\n",
           q.mean_kl, q.largest_kl);
  Append(out, "  first choices, teacher-forced: {} of {} the same; of {} clear ones {} differ\n",
         q.same_choice, q.positions, q.decided, q.decided_wrong);
  for (const std::string& problem : q.problems) Append(out, "    failed: {}\n", problem);
}

}  // namespace

bool GateReport::Passed() const {
  return std::all_of(records.begin(), records.end(),
                     [](const GateRecord& record) { return !record.Failed(); });
}

std::string Summarise(const Residency& residency) {
  std::vector<std::pair<std::string, int>> groups;  // in order of first appearance
  for (const OpPlacement& op : residency.ops) {
    const std::string key = fmt::format("{} on {}", op.op, op.where);
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == key; });
    if (found == groups.end()) {
      groups.emplace_back(key, 1);
    } else {
      ++found->second;
    }
  }
  // A Core ML shard has dozens of kinds of ops on one device: counts by device say more.
  constexpr size_t kMostGroups = 10;
  if (groups.size() > kMostGroups) {
    const auto resident = std::count_if(residency.ops.begin(), residency.ops.end(),
                                        [](const OpPlacement& op) { return op.resident; });
    return fmt::format("{} of {} ops resident", resident, residency.ops.size());
  }
  std::string text;
  for (const auto& [key, count] : groups)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, key);
  return text;
}

std::string ToText(const GateReport& report) {
  std::string out =
      fmt::format("{}: device {} ({})\n", report.directory, report.device, report.kernels);
  for (const GateRecord& record : report.records) {
    if (record.contested) {  // "residency: predicted, contested: 1106 of 1106 ..."
      Append(&out, "\n{}: {}, contested: {}\n", record.gate, record.basis, record.detail);
    } else {
      Append(&out, "\n{}: {} ({}): {}\n", record.gate, record.passed ? "passed" : "FAILED",
             record.basis, record.detail);
    }
    if (record.gate == "residency") AppendResidency(report, &out);
    if (record.gate == "arithmetic") AppendArithmetic(report, &out);
    if (record.gate == "quality") AppendQuality(report.quality, &out);
    if (record.gate == kQ8KvGate) AppendQuality(report.quality_q8_kv, &out);
  }
  return out;
}

}  // namespace headway::gates
