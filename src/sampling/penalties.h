#pragma once

// What makes ids unlikely that stand in the sequence already, defined once for all samplers
// (docs/sampling.md, step 1).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "headway/sampling_params.h"

namespace headway::sampling {

inline bool HasCountedPenalties(const SamplingParams& params) {
  return params.presence_penalty != 0.0F || params.frequency_penalty != 0.0F;
}
inline bool HasPenalties(const SamplingParams& params) {
  return params.repeat_penalty != 1.0F || HasCountedPenalties(params);
}

// The end of the sequence that penalties look at.
inline std::span<const int32_t> PenaltyWindow(const SamplingParams& params,
                                              std::span<const int32_t> history) {
  return params.repeat_last_n < 0
             ? history
             : history.last(std::min(history.size(), static_cast<size_t>(params.repeat_last_n)));
}

// The logit of an id that stands `count` times, at least once, in the window. The repeat penalty
// divides positive and multiplies other logits: the rule of the CTRL paper (Keskar et al. 2019,
// section 4.1) with llama.cpp's correction for negative logits. The other two are OpenAI's.
inline float PenalisedLogit(const SamplingParams& params, float logit, int32_t count) {
  logit = logit > 0.0F ? logit / params.repeat_penalty : logit * params.repeat_penalty;
  if (!HasCountedPenalties(params)) return logit;
  return logit - (static_cast<float>(count) * params.frequency_penalty + params.presence_penalty);
}

}  // namespace headway::sampling
