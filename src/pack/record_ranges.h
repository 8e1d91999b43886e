#pragma once

// What the values of a model reach while it reads a text, for devices that compute in 16-bit floats
// (device/traits.h): the oracle runs the file's own weights in double precision, layer by layer.
// Inside this folder only.

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "graph/value_ranges.h"
#include "pack/pack.h"
#include "pack/pack_plan.h"

namespace headway::pack {

// Of all values of the layers of `plan`, over the first positions of the golden text: the first
// tokens of a text are where models keep their largest values. About as long as the layers' share
// of goldens. Errors: those of reading the model; kCancelled.
Result<graph::ValueRanges> RecordRanges(const gguf::GgufFile& file, const PackPlan& plan,
                                        const PackOptions& options);

}  // namespace headway::pack
