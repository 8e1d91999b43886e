#include "runtime/head_projection.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/digest.h"
#include "runtime/clock.h"

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
    : pipeline_(pipeline),
      max_tokens_(max_tokens),
      logits_(static_cast<size_t>(max_tokens * pipeline->model().vocab_size) * sizeof(float)) {
  int64_t blocks = 0;
  bool all_have_blocks = true;
  for (const auto& shard : pipeline->Head().shards) {
    states_.push_back(shard->NewState({}));
    runs_.push_back({.shard = shard.get(), .state = states_.back().get(), .args = {}});
    const ShardInterface interface = shard->Interface();
    if (interface.is_top1) has_logits_ = false;
    all_have_blocks = all_have_blocks && interface.num_blocks > 0;
    first_block_.push_back(blocks);
    blocks += interface.num_blocks;
  }
  first_block_.push_back(blocks);
  if (!all_have_blocks) first_block_.clear();
  maxima_.resize(static_cast<size_t>(max_tokens * blocks));
  blocks_.reserve(static_cast<size_t>(pipeline->model().vocab_size / kRowBlock) + 1);
  if (!has_logits_) winners_.resize(static_cast<size_t>(max_tokens) * 2);
}

bool IsPlainGreedy(const sampling::SamplingParams& params, bool want_logprobs) {
  return params.temperature == 0.0F && params.repeat_penalty == 1.0F && params.logit_bias.empty() &&
         params.allow_ids.empty() && !want_logprobs;
}

int64_t HeadProjection::ScratchBytes() const {
  int64_t most = 0;
  for (const auto& shard : pipeline_->Head().shards) most = std::max(most, shard->ScratchBytes());
  return most;
}

std::span<float> HeadProjection::Project(const float* hidden, int64_t num_tokens,
                                         std::byte* scratch, Counters* counters) noexcept {
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_tokens_, "a head step of at most MaxTokens");
  const uint64_t start = NowNs();
  if (has_logits_) {
    struct {
      Counters* counters;
      const HeadProjection* head;
      uint64_t since;
    } clock{counters, this, start};
    for (size_t i = 0; i < runs_.size(); ++i)
      runs_[i].args = ArgsOf(i, hidden, num_tokens, {}, scratch);
    // One pointer, so that the function needs no memory.
    pipeline_->Head().shards.front()->RunHead(runs_, [&clock](size_t shard) {
      const uint64_t now = NowNs();
      clock.head->Count(shard, clock.head->runs_[shard].args, now - clock.since, clock.counters);
      clock.since = now;
    });
  } else {
    for (size_t i = 0; i < states_.size(); ++i)
      RunShard(i, ArgsOf(i, hidden, num_tokens, {}, scratch), counters);
  }
  counters->head_predict_ns += NowNs() - start;
  return logits_.As<float>(static_cast<size_t>(num_tokens * pipeline_->model().vocab_size));
}

std::span<float> HeadProjection::ProjectFew(const float* hidden, int64_t num_tokens,
                                            std::span<const int32_t> ids, std::byte* scratch,
                                            Counters* counters) noexcept {
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_tokens_, "a head step of at most MaxTokens");
  const uint64_t start = NowNs();
  const auto logits =
      logits_.As<float>(static_cast<size_t>(num_tokens * pipeline_->model().vocab_size));
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  size_t next = 0;
  for (size_t i = 0; i < states_.size(); ++i) {
    TakeBlocks(pipeline_->Head().specs[i], ids, &next, &blocks_);
    if (!blocks_.empty()) RunShard(i, ArgsOf(i, hidden, num_tokens, blocks_, scratch), counters);
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
                                std::span<const int32_t> blocks, std::byte* scratch) {
  const bool has_blocks = !first_block_.empty();
  return {.num_tokens = num_tokens,
          .first_position = 0,
          .input = hidden,
          .output = logits_.Pointer<float>() + pipeline_->Head().specs[shard].vocab_start,
          .output_stride = pipeline_->model().vocab_size,
          .rotary_cos = nullptr,
          .rotary_sin = nullptr,
          .block_maxima = has_blocks ? maxima_.data() + first_block_[shard] : nullptr,
          .maxima_stride = has_blocks ? first_block_.back() : 0,
          .scratch = scratch,
          .needed_blocks = blocks};
}

void HeadProjection::RunShard(size_t shard, const StepArgs& args, Counters* counters) {
  const uint64_t start = NowNs();
  if (has_logits_) {
    pipeline_->Head().shards[shard]->Run(args, states_[shard].get());
  } else {
    ProjectWinners(shard, args, args.num_tokens);
  }
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

// The shard's best token gets its logit, all others of its rows the lowest finite one. A NaN, which
// stands for a token that the shard does not have, goes to its first row, where sessions find it.
void HeadProjection::ProjectWinners(size_t shard, const StepArgs& args,
                                    int64_t num_tokens) noexcept {
  const HeadShard& spec = pipeline_->Head().specs[shard];
  StepArgs own = args;
  own.output = winners_.data();
  own.output_stride = 2;
  pipeline_->Head().shards[shard]->Run(own, states_[shard].get());
  for (int64_t t = 0; t < num_tokens; ++t) {
    float* const rows = args.output + t * args.output_stride;
    std::fill_n(rows, spec.vocab_end - spec.vocab_start, std::numeric_limits<float>::lowest());
    const float value = winners_[static_cast<size_t>(2 * t)];
    const float row = winners_[static_cast<size_t>(2 * t + 1)];
    if (row >= 0.0F && row < static_cast<float>(spec.vocab_end - spec.vocab_start)) {
      rows[static_cast<int64_t>(row)] = value;
    } else {
      rows[0] = std::numeric_limits<float>::quiet_NaN();
    }
  }
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
  const int64_t size =
      (spec.vocab_end - spec.vocab_start) / (first_block_[shard + 1] - first_block_[shard]);
  const int64_t first = spec.vocab_start + (best - first_block_[shard]) * size;
  const auto begin = logits.begin() + first;
  const int64_t lane = std::max_element(begin, begin + size) - begin;
  const int64_t token = first + lane;
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
      by_blocks ? BestOfBlocks(logits)
                : sampler->Sample(logits, position, history, want_logprob, mask);
  const uint64_t ns = NowNs() - start;
  counters->head_reduce_ns += ns;
  counters->head_reduce_shard_work_ns += ns;
  return choice;
}

}  // namespace headway
