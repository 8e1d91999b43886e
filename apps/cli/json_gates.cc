// The --json outputs of `gate` and `inspect`.

#include <fmt/format.h>
#include <sys/utsname.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/platform.h"
#include "headway/version.h"
#include "json_report.h"

namespace headway::cli {
namespace {

using Json = nlohmann::ordered_json;

// In ASCII, so that no name steers a terminal.
std::string Text(const Json& json) {
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json QualityJson(const gates::QualityFigures& q) {
  return Json{{"lowest_cosine", q.cosine},
              {"mean_kl", q.has_logits ? Json(q.mean_kl) : Json(nullptr)},
              {"largest_kl", q.has_logits ? Json(q.largest_kl) : Json(nullptr)},
              {"same_choice", q.same_choice},
              {"clear_positions", q.decided},
              {"clear_positions_wrong", q.decided_wrong},
              {"problems", q.problems}};
}

// Every op, the ops by kind, and what is said against any of them.
Json ShardJson(const gates::ShardPlacement& shard) {
  std::map<std::string, int64_t> histogram;
  Json ops = Json::array();
  for (const OpPlacement& op : shard.residency.ops) {
    if (op.counts) ++histogram[op.op];
    Json item{{"op", op.op},         {"name", op.name},         {"where", op.where},
              {"counts", op.counts}, {"resident", op.resident}, {"reason", op.reason},
              {"doubts", op.doubts}, {"warnings", op.warnings}};
    if (!op.predicted.empty()) item["predicted"] = op.predicted;
    if (op.cost) item["cost"] = *op.cost;
    ops.push_back(std::move(item));
  }
  return Json{{"shard", shard.shard},
              {"basis", shard.residency.basis},
              {"histogram", histogram},
              {"warnings", shard.residency.warnings},
              {"ops", std::move(ops)}};
}

Json FileJson(const FileEntry& file) {
  Json json{{"path", file.path}, {"bytes", file.bytes}, {"digest", file.digest}};
  if (!file.tokens.empty()) json["tokens"] = file.tokens;
  return json;
}

Json ProgramJson(const PlacedProgram& program) {
  Json functions = Json::object();
  const ShardDescription& description = program.description;
  for (const PlacedFunction& function : description.functions)
    functions[function.name] = Json::parse(function.json);
  return Json{{"path", program.path},
              {"weight_bytes", description.weight_bytes},
              {"verifies", description.problem.empty()},
              {"problem", description.problem},
              {"functions", std::move(functions)}};
}

// "Darwin 25.1.0 arm64"
std::string SystemText() {
  struct utsname names {};
  if (::uname(&names) != 0) return "unknown system";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

Json GatesJson(const gates::GateReport& report) {
  Json gates = Json::array();
  for (const GateRecord& record : report.records) {
    gates.push_back(Json{{"gate", record.gate},
                         {"passed", record.passed},
                         {"contested", record.contested},
                         {"basis", record.basis},
                         {"detail", record.detail}});
  }
  Json residency = Json::array();
  for (const gates::ShardPlacement& shard : report.residency) residency.push_back(ShardJson(shard));
  Json arithmetic = Json::array();
  for (const gates::Check& check : report.arithmetic) {
    const gates::Difference& d = check.difference;
    arithmetic.push_back(Json{{"subject", check.subject},
                              {"passed", check.problem.empty()},
                              {"relative_rms", d.relative},
                              {"worst_channel_rms", d.worst_channel},
                              {"worst_channel", d.channel},
                              {"largest", d.largest},
                              {"lowest_cosine", d.cosine},
                              {"not_finite", d.not_finite},
                              {"problem", check.problem}});
  }
  Json json{{"package", report.directory}, {"device", report.device},
            {"kernels", report.kernels},   {"passed", report.Passed()},
            {"gates", std::move(gates)},   {"positions", report.positions}};
  if (!report.residency.empty()) json["residency"] = std::move(residency);
  if (!report.arithmetic.empty()) {
    json["arithmetic"] = std::move(arithmetic);
  }
  if (report.quality.positions > 0) json["quality"] = QualityJson(report.quality);
  if (report.quality_q8_kv.positions > 0) json["quality_q8_kv"] = QualityJson(report.quality_q8_kv);
  return json;
}

}  // namespace

std::string GateJson(const gates::GateReport& report) { return Text(GatesJson(report)); }

std::string GateReportFile(const Result<gates::GateReport>& report, const std::string& package) {
  Json json{{"headway", kVersion},
            {"system", SystemText()},
            {"processor", platform::ProcessorName()},
            {"processors", platform::NumProcessors()},
            {"memory_bytes", platform::TotalMemoryBytes()},
            {"package", package}};
  if (report) {
    json["report"] = GatesJson(*report);
  } else {
    json["error"] = report.error().message;
  }
  return Text(json);
}

std::string InspectJson(const PlacedProgram& program) { return Text(ProgramJson(program)); }

std::string InspectJson(const std::string& directory, const Manifest& manifest,
                        const std::vector<PlacedProgram>& programs) {
  Json files = Json::array();
  for (const FileEntry* file : AllFiles(manifest)) files.push_back(FileJson(*file));
  Json placed = Json::array();
  for (const PlacedProgram& program : programs) placed.push_back(ProgramJson(program));
  return Text(Json{{"package", directory},
                   {"producer", manifest.producer},
                   {"source", manifest.source_file},
                   {"device", manifest.device},
                   {"weights", manifest.weights},
                   {"context_tokens", manifest.ContextTokens()},
                   {"files", std::move(files)},
                   {"programs", std::move(placed)}});
}

}  // namespace headway::cli
