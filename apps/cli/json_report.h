#pragma once

// The --json outputs of `run` (the ids, the text, the model and every counter) and `bench`
// (json_report.cc), of `gate` and `inspect` (json_gates.cc). The one place of the command line tool
// that includes the JSON library.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/shard_description.h"
#include "gates/report.h"
#include "headway/engine.h"
#include "hosts.h"
#include "lab/bench/bench.h"
#include "manifest/manifest.h"

namespace headway::cli {

std::string RunReport(const ModelSummary& model, std::span<const int32_t> prompt, uint64_t seed,
                      const Generation& generation, const HostsReport& hosts);

// The --json output of `gate`: every op and every comparison (docs/gates.md).
std::string GateJson(const gates::GateReport& report);

// What `gate --report` writes: the same, or why there is none, with the machine and its system.
std::string GateReportFile(const Result<gates::GateReport>& report, const std::string& package);

// A program that a device is not here to run, and where it stands.
struct PlacedProgram {
  std::string path;
  ShardDescription description;
};

// The --json output of `inspect`, of a device's own package and of ours with the programs in it.
std::string InspectJson(const PlacedProgram& program);
std::string InspectJson(const std::string& directory, const Manifest& manifest,
                        const std::vector<PlacedProgram>& programs);

// The --json output of `bench`: every line of every table.
std::string BenchJson(const ModelSummary* model_or_null,
                      const std::vector<lab::BenchTable>& tables);

}  // namespace headway::cli
