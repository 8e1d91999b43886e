#pragma once

// Perplexity of a text as llama.cpp's llama-perplexity computes it, so that the two numbers can be
// compared: the text is cut into windows of `window_tokens`, each a fresh sequence; the second half
// of a window is scored, given the first.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "engine/session.h"

namespace headway::gates {

// Where evaluations get logits from: a session, the straight-line reference, or a test's table.
// sink(position, logits [V]); the logits are valid during the call.
using LogitsSink = std::function<void(int64_t position, std::span<const float> logits)>;

// Feeds `ids` as one fresh sequence and hands over the logits of positions [first_position,
// ids.size()), ascending.
using LogitsSource = std::function<Result<void>(std::span<const int32_t> ids,
                                                int64_t first_position, const LogitsSink& sink)>;

// The logits of `session`, which must outlive the source; each call forgets the sequence before.
// The head does not run for positions before first_position.
LogitsSource SourceOf(Session* session);

struct PerplexityOptions {
  int64_t window_tokens = 512;
  int64_t max_windows = 0;  // 0: all whole windows of the text
  // Replaces the first of every window (begin of sequence).
  std::optional<int32_t> first_token = std::nullopt;
  // Called after every window with the perplexity so far.
  std::function<void(int64_t window, int64_t num_windows, double perplexity)> progress = nullptr;
};

struct PerplexityReport {
  double perplexity = 0;
  double standard_error = 0;  // of the perplexity, from the spread of the scored tokens
  int64_t windows = 0;
  int64_t scored_tokens = 0;
  int64_t text_tokens = 0;
};

// Errors: kInvalidInput (a text shorter than one window, a window of fewer than 4 tokens), and the
// source's.
Result<PerplexityReport> Perplexity(std::span<const int32_t> ids, const PerplexityOptions& options,
                                    const LogitsSource& source);

// -ln softmax(logits)[id], in double precision.
double Surprise(std::span<const float> logits, int32_t id);

}  // namespace headway::gates
