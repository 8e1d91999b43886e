#pragma once

// What a model's head multiplies, for the planes of a certified head to choose their common
// directions by (lmhead/common_directions.h): the package under construction reads a text. Only
// with the full head, before any rotation is drawn, so that the states cannot depend on it.

#include <atomic>
#include <string>

#include "base/result.h"
#include "lmhead/common_directions.h"
#include "manifest/manifest.h"

namespace headway::pack {

// `manifest`: of the shards written into `directory` so far; its first head whose shards give
// logits is used; a package of a device that this machine only interprets gives none. States that
// are not finite give none, either. `threads`: 0 for all processors. Errors: those of opening the
// shards; kCancelled.
Result<lmhead::RecordedStates> RecordStates(const std::string& directory, const Manifest& manifest,
                                            int threads,
                                            const std::atomic<bool>* cancelled_or_null);

}  // namespace headway::pack
