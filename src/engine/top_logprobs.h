#pragma once

// The most likely tokens of a position, for who asks what else could have come.

#include <cstdint>
#include <span>
#include <vector>

namespace headway {

struct TokenLogprob {
  int32_t id = -1;
  // ln softmax of the model's logits at temperature 1; after sampling, ln of the probability to be
  // drawn.
  float logprob = 0.0F;
};

// The `count` best ids of `logits` [V], which are finite, best first, lower ids first among equals.
std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int64_t count);

}  // namespace headway
