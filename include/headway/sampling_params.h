#pragma once

// What a request may say about sampling. The words and their meaning are llama.cpp's, because users
// know them; docs/sampling.md defines every step. A plain value.

#include <cstdint>
#include <utility>
#include <vector>

namespace headway {

struct SamplingParams {
  float temperature = 0.0F;     // 0: greedy
  int32_t top_k = 0;            // keep the k best; 0: off
  float top_p = 1.0F;           // keep the smallest prefix of that mass; 1: off
  float min_p = 0.0F;           // keep tokens at least this likely, relative to the best; 0: off
  float repeat_penalty = 1.0F;  // 1: off
  int32_t repeat_last_n = 64;   // how far back the penalty looks; -1: the whole history, 0: off
  // Over the same window: taken off the logit of an id that stands there, and off it for each time.
  float presence_penalty = 0.0F;   // 0: off
  float frequency_penalty = 0.0F;  // 0: off
  // (id, added value); -infinity bans the id.
  std::vector<std::pair<int32_t, float>> logit_bias = {};
  std::vector<int32_t> allow_ids = {};  // empty: all
  uint64_t seed = 0;
};

}  // namespace headway
