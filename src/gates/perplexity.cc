#include "gates/perplexity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace headway::gates {
namespace {

// Mean and spread of the surprises, from their sums.
struct SurpriseSums {
  double first = 0;
  double second = 0;
  int64_t count = 0;

  void Add(double surprise) {
    first += surprise;
    second += surprise * surprise;
    ++count;
  }
  double Perplexity() const { return std::exp(first / static_cast<double>(count)); }
  // Standard error of exp(mean) to first order: exp(mean) times that of the mean.
  double StandardError() const {
    if (count < 2) return 0;
    const auto n = static_cast<double>(count);
    const double variance = second / n - (first / n) * (first / n);
    return variance > 0 ? Perplexity() * std::sqrt(variance / (n - 1)) : 0;
  }
};

}  // namespace

double Surprise(std::span<const float> logits, int32_t id) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - largest));
  return std::log(sum) - static_cast<double>(logits[static_cast<size_t>(id)] - largest);
}

Result<PerplexityReport> Perplexity(std::span<const int32_t> ids, const PerplexityOptions& options,
                                    const LogitsSource& source) {
  const int64_t window = options.window_tokens;
  const auto text_tokens = static_cast<int64_t>(ids.size());
  if (window < 4) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("perplexity: expected windows of at least 4 tokens, found {}", window));
  }
  if (text_tokens < window) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("perplexity: expected a text of at least one window of {} tokens, found {}",
                    window, text_tokens));
  }
  int64_t num_windows = text_tokens / window;
  if (options.max_windows > 0) num_windows = std::min(num_windows, options.max_windows);

  SurpriseSums sums;
  for (int64_t w = 0; w < num_windows; ++w) {
    const auto part = ids.subspan(static_cast<size_t>(w * window), static_cast<size_t>(window));
    std::vector<int32_t> sequence(part.begin(), part.end());
    if (options.first_token) sequence.front() = *options.first_token;
    // Position p predicts token p + 1; the last position predicts the next window and is not
    // scored.
    sequence.pop_back();
    HW_TRY_VOID(source(sequence, window / 2, [&](int64_t position, std::span<const float> logits) {
      sums.Add(Surprise(logits, part[static_cast<size_t>(position + 1)]));
    }));
    if (options.progress) options.progress(w + 1, num_windows, sums.Perplexity());
  }
  return PerplexityReport{.perplexity = sums.Perplexity(),
                          .standard_error = sums.StandardError(),
                          .windows = num_windows,
                          .scored_tokens = sums.count,
                          .text_tokens = text_tokens};
}

}  // namespace headway::gates
