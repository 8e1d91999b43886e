#include "engine/head_projection.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "sampling/penalties.h"

namespace headway {
namespace {

// The blocks of the shard's rows in which ids from ids[*next] on lie; moves *next behind them.
void TakeBlocks(const HeadShard& shard, std::span<const int32_t> ids, size_t* next,
                std::vector<int32_t>* blocks) {
  blocks->clear();
  for (; *next < ids.size() && ids[*next] < shard.vocab_end; ++*next) {
    const auto block = static_cast<int32_t>((ids[*next] - shard.vocab_start) / kRowBlock);
    if (blocks->empty() || blocks->back() != block) blocks->push_back(block);
  }
}

}  // namespace

HeadProjection::HeadProjection(Pipeline* pipeline, int64_t max_tokens)
    : pipeline_(pipeline), max_tokens_(max_tokens) {
  int64_t blocks = 0;
  int64_t scratch_bytes = 0;
  bool all_have_blocks = true;
  for (const auto& shard : pipeline->Head().shards) {
    workspaces_.push_back(shard->NewWorkspace(0));
    scratch_bytes = std::max(scratch_bytes, shard->ScratchBytes());
    runs_.push_back({.shard = shard.get(), .args = {}});
    const ShardInterface interface = shard->Interface();
    if (interface.is_top1) has_logits_ = false;
    all_have_blocks = all_have_blocks && interface.block_rows > 0;
    first_block_.push_back(blocks);
    block_rows_.push_back(interface.block_rows);
    blocks += interface.NumBlocks();
  }
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
  first_block_.push_back(blocks);
  if (!all_have_blocks) first_block_.clear();
  maxima_.resize(static_cast<size_t>(max_tokens * blocks));
  blocks_.reserve(static_cast<size_t>(pipeline->model().vocab_size / kRowBlock) + 1);
  row_size_ = has_logits_ ? pipeline->model().vocab_size : static_cast<int64_t>(workspaces_.size());
  logits_ = AlignedBuffer(static_cast<size_t>(max_tokens * row_size_) * sizeof(float));
  if (!has_logits_) {
    winners_.resize(static_cast<size_t>(max_tokens) * 2);
    winner_ids_.resize(static_cast<size_t>(max_tokens * row_size_));
  }
}

int32_t HeadProjection::TokenOf(int64_t state, int64_t column) const {
  if (has_logits_) return static_cast<int32_t>(column);
  return winner_ids_[static_cast<size_t>(state * row_size_ + column)];
}

bool IsPlainGreedy(const sampling::SamplingParams& params, bool want_logprobs) {
  return params.temperature == 0.0F && !sampling::HasPenalties(params) &&
         params.logit_bias.empty() && params.allow_ids.empty() && !want_logprobs;
}

std::span<float> HeadProjection::Project(const float* hidden, int64_t num_tokens,
                                         Counters* counters) noexcept {
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_tokens_, "a head step of at most MaxTokens");
  const uint64_t start = NowNs();
  if (has_logits_) {
    struct {
      Counters* counters;
      const HeadProjection* head;
      uint64_t since;
    } clock{counters, this, start};
    for (size_t i = 0; i < runs_.size(); ++i) runs_[i].args = ArgsOf(i, hidden, num_tokens, {});
    // One pointer, so that the function needs no memory.
    pipeline_->Head().shards.front()->RunHead(runs_, [&clock](size_t shard) {
      const uint64_t now = NowNs();
      clock.head->Count(shard, clock.head->runs_[shard].args, now - clock.since, clock.counters);
      clock.since = now;
    });
  } else {
    for (size_t i = 0; i < workspaces_.size(); ++i)
      RunShard(i, ArgsOf(i, hidden, num_tokens, {}), counters);
  }
  counters->head_predict_ns += NowNs() - start;
  return logits_.As<float>(static_cast<size_t>(num_tokens * row_size_));
}

std::span<float> HeadProjection::ProjectFew(const float* hidden, int64_t num_tokens,
                                            std::span<const int32_t> ids,
                                            Counters* counters) noexcept {
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_tokens_, "a head step of at most MaxTokens");
  HW_CHECK(has_logits_, "a head that gives logits");
  const uint64_t start = NowNs();
  const auto logits =
      logits_.As<float>(static_cast<size_t>(num_tokens * pipeline_->model().vocab_size));
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  size_t next = 0;
  for (size_t i = 0; i < workspaces_.size(); ++i) {
    TakeBlocks(pipeline_->Head().specs[i], ids, &next, &blocks_);
    if (!blocks_.empty()) RunShard(i, ArgsOf(i, hidden, num_tokens, blocks_), counters);
  }
  counters->head_predict_ns += NowNs() - start;
  return logits;
}

int64_t HeadProjection::RowsFor(std::span<const int32_t> ids) const {
  int64_t rows = 0;
  std::vector<int32_t> blocks;
  size_t next = 0;
  for (const HeadShard& shard : pipeline_->Head().specs) {
    TakeBlocks(shard, ids, &next, &blocks);
    rows += RowsOf(shard, blocks);
  }
  return rows;
}

// Rows in `blocks`; the last block of a shard may be short.
int64_t HeadProjection::RowsOf(const HeadShard& shard, std::span<const int32_t> blocks) const {
  int64_t rows = 0;
  for (const int32_t block : blocks)
    rows += std::min(kRowBlock, shard.vocab_end - shard.vocab_start - block * kRowBlock);
  return rows;
}

// All rows of the shard when `blocks` is empty.
StepArgs HeadProjection::ArgsOf(size_t shard, const float* hidden, int64_t num_tokens,
                                std::span<const int32_t> blocks) {
  const bool has_blocks = !first_block_.empty();
  return {.num_tokens = num_tokens,
          .input = hidden,
          .output = has_logits_
                        ? logits_.Pointer<float>() + pipeline_->Head().specs[shard].vocab_start
                        : winners_.data(),
          .output_stride = has_logits_ ? row_size_ : 2,
          .block_maxima = has_blocks ? maxima_.data() + first_block_[shard] : nullptr,
          .maxima_stride = has_blocks ? first_block_.back() : 0,
          .scratch = scratch_.data(),
          .workspace = workspaces_[shard].get(),
          .needed_blocks = blocks};
}

void HeadProjection::RunShard(size_t shard, const StepArgs& args, Counters* counters) {
  const uint64_t start = NowNs();
  pipeline_->Head().shards[shard]->Run(args);
  if (!has_logits_) KeepWinners(shard, args.num_tokens);
  Count(shard, args, NowNs() - start, counters);
}

void HeadProjection::Count(size_t shard, const StepArgs& args, uint64_t ns,
                           Counters* counters) const {
  const LoadedHead& head = pipeline_->Head();
  const HeadShard& spec = head.specs[shard];
  const int64_t all_rows = spec.vocab_end - spec.vocab_start;
  const int64_t rows = args.needed_blocks.empty() ? all_rows : RowsOf(spec, args.needed_blocks);
  counters->head_shard_ns[shard] += ns;
  counters->head_predict_shard_work_ns += ns;
  counters->head_rows_computed += static_cast<uint64_t>(rows * args.num_tokens);
  counters->head_bytes_read +=
      static_cast<uint64_t>(head.shards[shard]->WeightBytes() * rows / all_rows);
}

// A row that the shard does not have is a NaN of its first one, where sessions find it.
void HeadProjection::KeepWinners(size_t shard, int64_t num_tokens) noexcept {
  const HeadShard& spec = pipeline_->Head().specs[shard];
  for (int64_t t = 0; t < num_tokens; ++t) {
    const float row = winners_[static_cast<size_t>(2 * t + 1)];
    const bool exists = row >= 0.0F && row < static_cast<float>(spec.vocab_end - spec.vocab_start);
    const auto at = static_cast<size_t>(t * row_size_) + shard;
    logits_.Pointer<float>()[at] =
        exists ? winners_[static_cast<size_t>(2 * t)] : std::numeric_limits<float>::quiet_NaN();
    winner_ids_[at] =
        static_cast<int32_t>(spec.vocab_start + (exists ? static_cast<int64_t>(row) : 0));
  }
}

// The best of the shards' winners; shards are in order of their ids, so the first among equals.
sampling::Sampler::Choice HeadProjection::BestOfWinners(std::span<const float> winners) noexcept {
  const int64_t column = std::max_element(winners.begin(), winners.end()) - winners.begin();
  const int64_t state = (winners.data() - logits_.Pointer<float>()) / row_size_;
  return {.token = TokenOf(state, column),
          .logit = winners[static_cast<size_t>(column)],
          .logprob = 0.0F};
}

// The lowest id among the largest logits: the first block with the largest maximum, then its first
// logit that equals it.
sampling::Sampler::Choice HeadProjection::BestOfBlocks(std::span<const float> logits) noexcept {
  const LoadedHead& head = pipeline_->Head();
  const auto row = static_cast<size_t>(logits.data() - logits_.Pointer<float>()) /
                   static_cast<size_t>(pipeline_->model().vocab_size);
  const auto blocks = static_cast<size_t>(first_block_.back());
  const float* const maxima = maxima_.data() + row * blocks;
  const int64_t best = std::max_element(maxima, maxima + blocks) - maxima;
  const size_t shard =
      static_cast<size_t>(std::upper_bound(first_block_.begin(), first_block_.end(), best) -
                          first_block_.begin()) -
      1;
  const HeadShard& spec = head.specs[shard];
  const int64_t first = spec.vocab_start + (best - first_block_[shard]) * block_rows_[shard];
  const int64_t end = std::min(first + block_rows_[shard], spec.vocab_end);
  const int64_t token =
      std::max_element(logits.begin() + first, logits.begin() + end) - logits.begin();
  return {.token = static_cast<int32_t>(token),
          .logit = logits[static_cast<size_t>(token)],
          .logprob = 0.0F};
}

sampling::Sampler::Choice HeadProjection::Select(std::span<float> logits,
                                                 sampling::Sampler* sampler, uint64_t position,
                                                 std::span<const int32_t> history,
                                                 bool want_logprob, std::span<const uint64_t> mask,
                                                 Counters* counters) noexcept {
  const uint64_t start = NowNs();
  const bool by_blocks =
      mask.empty() && !first_block_.empty() && IsPlainGreedy(sampler->Params(), want_logprob);
  const sampling::Sampler::Choice choice =
      !has_logits_ ? BestOfWinners(logits)
      : by_blocks  ? BestOfBlocks(logits)
                   : sampler->Sample(logits, position, history, want_logprob, mask);
  const uint64_t ns = NowNs() - start;
  counters->head_reduce_ns += ns;
  counters->head_reduce_shard_work_ns += ns;
  return choice;
}

}  // namespace headway
