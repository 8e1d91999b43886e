#pragma once

// The --json output of `run`: one object with the ids, the text, the model and every counter. The
// one place of the command line tool that includes the JSON library.

#include <span>
#include <string>

#include "headway/engine.h"

namespace headway::cli {

std::string RunReport(const ModelSummary& model, std::span<const int32_t> prompt,
                      const Generation& generation);

}  // namespace headway::cli
