#pragma once

// The full LM head: every vocabulary shard projects the hidden state, and the selection reads the
// whole row of logits. Projection and selection are timed apart.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "headway/counters.h"
#include "runtime/pipeline.h"
#include "sampling/sampler.h"

namespace headway {

class FullHead {
 public:
  // Holds logits of up to `max_tokens` positions. `pipeline` must outlive this object.
  FullHead(Pipeline* pipeline, int64_t max_tokens);

  // Projects `num_tokens` hidden states [num_tokens, D]; the logits [num_tokens, V] stay valid
  // until the next call. `scratch` as in StepArgs.
  std::span<float> Project(const float* hidden, int64_t num_tokens, std::byte* scratch,
                           Counters* counters) noexcept;

  // Chooses from one row of logits, timed as the head's reduction.
  sampling::Sampler::Choice Select(std::span<float> logits, sampling::Sampler* sampler,
                                   uint64_t position, std::span<const int32_t> history,
                                   bool want_logprob, Counters* counters) noexcept;

  int64_t MaxTokens() const { return max_tokens_; }
  int64_t ScratchBytes() const;

 private:
  Pipeline* const pipeline_;
  const int64_t max_tokens_;
  std::vector<std::unique_ptr<ShardState>> states_;
  AlignedBuffer logits_;  // [max_tokens, V]
};

}  // namespace headway
