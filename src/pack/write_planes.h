#pragma once

// Adds the planes of a certified head to a package.

#include <string>

#include "base/result.h"
#include "manifest/manifest.h"
#include "pack/pack.h"
#include "tensor/tensor_view.h"

namespace headway::compile {

inline constexpr const char* kPlanesFileName = "head_certified.planes";

// Builds the planes of `rows` [V, D] and writes them to `directory`; `states` choose their common
// directions. Errors: those of lmhead::BuildPlanes, kIo.
Result<FileEntry> WritePlanes(const ConstTensorView& rows, const std::string& rows_digest,
                              lmhead::RecordedStates states, const std::string& directory,
                              const PackOptions& options);

}  // namespace headway::compile
