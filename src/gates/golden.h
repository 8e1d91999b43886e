#pragma once

// The two halves of the golden gate. Inside this folder only.

#include <vector>

#include "engine/open.h"
#include "gates/report.h"
#include "manifest/goldens.h"

namespace headway::gate {

// One head of the package, opened.
using Heads = std::vector<std::shared_ptr<Pipeline>>;

// Products, shards and stack against the oracle's values. Errors: kCorrupt when the goldens are of
// another model.
Result<std::vector<Check>> CompareArithmetic(OpenedModel* model, const Heads& heads,
                                             const Goldens& goldens);

// Hidden states, distributions and choices against the straight-line reference.
Result<QualityFigures> CompareQuality(OpenedModel* model, const Heads& heads,
                                      const Goldens& goldens);

// The same of a session with keys and values in Q8_0, token by token; no figures where the device
// cannot store them. A session that stops at values that are no numbers is a problem, not an error.
Result<QualityFigures> CompareQualityOfQ8Kv(const OpenedModel& model, const Heads& heads,
                                            const Goldens& goldens);

}  // namespace headway::gate
