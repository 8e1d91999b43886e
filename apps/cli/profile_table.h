#pragma once

// Counters as a table a person can read.

#include <string>

#include "headway/engine.h"

namespace headway::cli {

std::string ProfileTable(const ModelSummary& model, const Counters& counters);

}  // namespace headway::cli
