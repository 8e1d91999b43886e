#pragma once

// Where the ops of a shard are expected to run, predicted from the rules of device/coreml/place:
// for the manifest and for the residency gate where there is no Neural Engine to ask.

#include <string>

#include "base/result.h"
#include "device/coreml/ir/model.h"
#include "device/coreml/place/predict.h"
#include "device/residency.h"
#include "manifest/manifest.h"

namespace headway::coreml {

// The report in the words of the residency gate; each op counts. A report that could not be made
// gives one op that is not resident, with the error as its reason.
Residency ToResidency(const Result<mil::PlacementReport>& report);

// Totals and histogram of all functions, for the manifest. `weight_bytes`: of the weight file.
Result<ExpectedOps> PredictOps(const mil::Model& model, int64_t weight_bytes);

}  // namespace headway::coreml
