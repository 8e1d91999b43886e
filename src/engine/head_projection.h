#pragma once

// The vocabulary shards of an LM head: every shard projects the hidden state, and the selection
// reads the whole row of logits. Projection and selection are timed apart. Shards may also give the
// maxima of blocks of their logits, which spare greedy decoding most of the scan, or nothing but
// their best token ("top1"): then a row is the best logit of each shard, and only greedy decoding
// has a meaning.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/pipeline.h"
#include "headway/counters.h"
#include "sampling/sampler.h"

namespace headway {

class HeadProjection {
 public:
  // Holds logits of up to `max_tokens` positions. `pipeline` must outlive this object.
  HeadProjection(Pipeline* pipeline, int64_t max_tokens);

  // Projects `num_tokens` hidden states [num_tokens, D]; the logits [num_tokens, RowSize()] stay
  // valid until the next call.
  std::span<float> Project(const float* hidden, int64_t num_tokens, Counters* counters) noexcept;

  // The same, for heads that give logits, for the tokens `ids` (ascending) alone; the logits of
  // others are -infinity or, in the same block of rows, their own.
  std::span<float> ProjectFew(const float* hidden, int64_t num_tokens, std::span<const int32_t> ids,
                              Counters* counters) noexcept;

  // How many rows ProjectFew() would compute for a hidden state.
  int64_t RowsFor(std::span<const int32_t> ids) const;

  // Chooses from one row of logits, timed as the head's reduction. `mask`: Sampler::Sample.
  sampling::Sampler::Choice Select(std::span<float> logits, sampling::Sampler* sampler,
                                   uint64_t position, std::span<const int32_t> history,
                                   bool want_logprob, std::span<const uint64_t> mask,
                                   Counters* counters) noexcept;

  // Whether Project() gives the logits of every token. Without them a session must be greedy
  // (IsPlainGreedy) and has no logits to show.
  bool HasLogits() const { return has_logits_; }
  // V, or the number of shards.
  int64_t RowSize() const { return row_size_; }
  // The token whose logit stands in a column of a state's row.
  int32_t TokenOf(int64_t state, int64_t column) const;

  int64_t MaxTokens() const { return max_tokens_; }

 private:
  StepArgs ArgsOf(size_t shard, const float* hidden, int64_t num_tokens,
                  std::span<const int32_t> blocks);
  void RunShard(size_t shard, const StepArgs& args, Counters* counters);
  void Count(size_t shard, const StepArgs& args, uint64_t ns, Counters* counters) const;
  int64_t RowsOf(const HeadShard& shard, std::span<const int32_t> blocks) const;

  Pipeline* const pipeline_;
  const int64_t max_tokens_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;
  bool has_logits_ = true;
  int64_t row_size_ = 0;
  AlignedBuffer scratch_;
  AlignedBuffer logits_;              // [max_tokens, row_size_]
  std::vector<int64_t> first_block_;  // of each shard, and the end; empty: no block maxima
  std::vector<int64_t> block_rows_;   // of each shard
  std::vector<float> maxima_;         // [max_tokens, all blocks]
  std::vector<float> winners_;        // [max_tokens, 2] of one shard; empty: logits
  std::vector<int32_t> winner_ids_;   // [max_tokens, row_size_]; empty: logits

  void KeepWinners(size_t shard, int64_t num_tokens) noexcept;
  sampling::Sampler::Choice BestOfWinners(std::span<const float> winners) noexcept;
  sampling::Sampler::Choice BestOfBlocks(std::span<const float> logits) noexcept;
  std::vector<int32_t> blocks_;  // needed ones of one shard
  std::vector<HeadRun> runs_;    // one a shard
};

// Whether the choice is the largest logit and nothing but the logits has a say in it.
bool IsPlainGreedy(const sampling::SamplingParams& params, bool want_logprobs);

}  // namespace headway
