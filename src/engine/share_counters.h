#pragma once

// What a pass for several conversations costs, entered into each one's counters.

#include <cstddef>

#include "engine/pipeline.h"
#include "headway/counters.h"

namespace headway {

// Counters of a package's shards, all zero.
Counters NoCounts(const Pipeline& pipeline);
// Without giving memory back.
void ClearCounts(Counters* counters);
// Adds what layers and heads count in a pass for `num_rows` conversations: times, which each of them
// waited for, whole; bytes and rows computed as an equal share.
void AddShare(const Counters& pass, size_t num_rows, Counters* to);

}  // namespace headway
