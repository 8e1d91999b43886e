#pragma once

// Counters as a table a person can read.

#include <string>

#include "headway/engine.h"

namespace headway::cli {

std::string ProfileTable(const ModelSummary& model, const Counters& counters);

// The value below which `percent` % of the samples lie, in ns; 0 without samples.
uint64_t Percentile(const std::vector<uint64_t>& samples_ns, double percent);

}  // namespace headway::cli
