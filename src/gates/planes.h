#pragma once

// The planes of certified heads in the golden gate. Inside this folder only.

#include <vector>

#include "engine/open.h"
#include "gates/report.h"

namespace headway::gate {

// Every sign, code, scale and gamma of the head's planes against the rows that the head multiplies
// (lmhead/check_planes.h).
Check CheckPlanesOf(const OpenedModel& model, Pipeline* head);

// The estimates of every shard that multiplies signs on its device, against sums in double
// precision of what the planes hold, for up to eight of the states `hidden` [T, D].
void CheckEstimates(Pipeline* head, const std::vector<float>& hidden, std::vector<Check>* checks);

}  // namespace headway::gate
