#pragma once

// Where evaluations get logits from: a runtime session, the straight-line reference, or a test's
// table.

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "engine/session.h"

namespace headway::eval {

// sink(position, logits [V]); the logits are valid during the call.
using LogitsSink = std::function<void(int64_t position, std::span<const float> logits)>;

// Feeds `ids` as one fresh sequence and hands over the logits of positions [first_position,
// ids.size()), ascending.
using LogitsSource = std::function<Result<void>(std::span<const int32_t> ids,
                                                int64_t first_position, const LogitsSink& sink)>;

// The logits of `session`, which must outlive the source; each call forgets the sequence before.
// The head does not run for positions before first_position.
LogitsSource SourceOf(Session* session);

}  // namespace headway::eval
