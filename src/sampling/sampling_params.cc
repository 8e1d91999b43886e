#include "sampling/sampling_params.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>

namespace headway::sampling {
namespace {

// 1 / temperature times any logit a model gives (below 1e6) must stay finite in binary32.
constexpr float kSmallestTemperature = 1e-30F;

tl::unexpected<Error> Wrong(const char* name, const std::string& expected,
                            const std::string& found) {
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("sampling: {}: expected {}, found {}", name, expected, found));
}

Result<void> CheckId(const char* name, int32_t id, int64_t vocab_size) {
  if (id >= 0 && id < vocab_size) return {};
  return Wrong(name, fmt::format("token ids from 0 to {}", vocab_size - 1), fmt::format("{}", id));
}

}  // namespace

Result<void> ValidateNumbers(const SamplingParams& params) {
  // Written so that NaN fails every one of them.
  if (!(params.temperature == 0.0F ||
        (params.temperature >= kSmallestTemperature && std::isfinite(params.temperature)))) {
    return Wrong("temperature", "0 (greedy) or a positive finite number",
                 fmt::format("{}", params.temperature));
  }
  if (params.top_k < 0) {
    return Wrong("top-k", "0 (off) or a positive count", fmt::format("{}", params.top_k));
  }
  if (!(params.top_p > 0.0F && params.top_p <= 1.0F)) {
    return Wrong("top-p", "a number above 0 and at most 1 (off)", fmt::format("{}", params.top_p));
  }
  if (!(params.min_p >= 0.0F && params.min_p <= 1.0F)) {
    return Wrong("min-p", "a number from 0 (off) to 1", fmt::format("{}", params.min_p));
  }
  if (!(params.repeat_penalty > 0.0F && std::isfinite(params.repeat_penalty))) {
    return Wrong("repeat-penalty", "a positive finite number (1: off)",
                 fmt::format("{}", params.repeat_penalty));
  }
  for (const auto& [name, penalty] : {std::pair{"presence-penalty", params.presence_penalty},
                                      std::pair{"frequency-penalty", params.frequency_penalty}}) {
    if (!std::isfinite(penalty))
      return Wrong(name, "a finite number (0: off)", fmt::format("{}", penalty));
  }
  if (params.repeat_last_n < -1) {
    return Wrong("repeat-last-n", "-1 (the whole history), 0 (off) or a count",
                 fmt::format("{}", params.repeat_last_n));
  }
  return {};
}

Result<void> Validate(const SamplingParams& params, int64_t vocab_size) {
  HW_TRY_VOID(ValidateNumbers(params));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  // Allowed ids that no bias bans; an id listed twice counts once.
  std::vector<bool> open(static_cast<size_t>(vocab_size), params.allow_ids.empty());
  for (const int32_t id : params.allow_ids) {
    HW_TRY_VOID(CheckId("allow-ids", id, vocab_size));
    open[static_cast<size_t>(id)] = true;
  }
  for (const auto& [id, bias] : params.logit_bias) {
    HW_TRY_VOID(CheckId("logit-bias", id, vocab_size));
    if (std::isnan(bias) || bias == kInfinity) {
      return Wrong("logit-bias", fmt::format("a finite number or -inf for token {}", id),
                   fmt::format("{}", bias));
    }
    if (bias == -kInfinity) open[static_cast<size_t>(id)] = false;
  }
  for (const bool is_open : open) {
    if (is_open) return {};
  }
  return Wrong(params.allow_ids.empty() ? "logit-bias" : "allow-ids",
               "at least one token that may be sampled", "none: a bias of -inf bans every one");
}

}  // namespace headway::sampling
