#pragma once

// The --json outputs of `run` (the ids, the text, the model and every counter), `gate` and `bench`.
// The one place of the command line tool that includes the JSON library.

#include <span>
#include <string>
#include <vector>

#include "bench_tables.h"
#include "gate/report.h"
#include "headway/engine.h"

namespace headway::cli {

std::string RunReport(const ModelSummary& model, std::span<const int32_t> prompt,
                      const Generation& generation);

// The --json output of `gate`: every op and every comparison (docs/gates.md).
std::string GateJson(const gate::Report& report);

// The --json output of `bench`: every line of every table.
std::string BenchJson(const ModelSummary* model_or_null, const std::vector<BenchRow>& rows);

}  // namespace headway::cli
