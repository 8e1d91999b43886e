#pragma once

// The --json outputs of `run` (the ids, the text, the model and every counter) and of `gate`. The
// one place of the command line tool that includes the JSON library.

#include <span>
#include <string>

#include "gate/report.h"
#include "headway/engine.h"

namespace headway::cli {

std::string RunReport(const ModelSummary& model, std::span<const int32_t> prompt,
                      const Generation& generation);

// The --json output of `gate`: every op and every comparison (docs/gates.md).
std::string GateJson(const gate::Report& report);

}  // namespace headway::cli
