#pragma once

// The check of sampling requests; the request itself is public (include/headway/sampling_params.h).

#include <cstdint>

#include "base/result.h"
#include "headway/sampling_params.h"

namespace headway::sampling {

using headway::SamplingParams;

// Checks what needs no vocabulary, everything but the ids: for requests read before a model is
// open. Errors: as Validate().
Result<void> ValidateNumbers(const SamplingParams& params);

// Checks that `params` make sense for a vocabulary of `vocab_size` ids. Errors: kInvalidInput, one
// line with the parameter, what was expected and what was found.
Result<void> Validate(const SamplingParams& params, int64_t vocab_size);

}  // namespace headway::sampling
