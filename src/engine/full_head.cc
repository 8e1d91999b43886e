#include "engine/full_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/clock.h"
#include "base/exhaustion.h"
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

// Rows in `blocks`; the last block of a shard may be short.
int64_t RowsOf(const HeadShard& shard, std::span<const int32_t> blocks) {
  int64_t rows = 0;
  for (const int32_t block : blocks)
    rows += std::min(kRowBlock, shard.vocab_end - shard.vocab_start - block * kRowBlock);
  return rows;
}

// Whether choices look at nothing but the logits as the model gave them.
bool LooksAtLogitsAlone(const sampling::SamplingParams& params, bool want_logprobs) {
  return !sampling::HasPenalties(params) && params.logit_bias.empty() && params.allow_ids.empty() &&
         !want_logprobs;
}

}  // namespace

bool IsPlainGreedy(const sampling::SamplingParams& params, bool want_logprobs) {
  return params.temperature == 0.0F && LooksAtLogitsAlone(params, want_logprobs);
}

FullHead::FullHead(Pipeline* pipeline, const kernels::KernelSet& kernels, int64_t max_states)
    : pipeline_(pipeline),
      kernels_(kernels),
      max_states_(max_states),
      remote_(pipeline->Head().shards.front()->Remote()) {
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
  maxima_.resize(static_cast<size_t>(max_states * blocks));
  blocks_.reserve(static_cast<size_t>(pipeline->model().vocab_size / kRowBlock) + 1);
  row_size_ = has_logits_ ? pipeline->model().vocab_size : static_cast<int64_t>(workspaces_.size());
  logits_ = AlignedBuffer(static_cast<size_t>(max_states * row_size_) * sizeof(float));
  if (!has_logits_) {
    winners_.resize(static_cast<size_t>(max_states) * 2);
    winner_ids_.resize(static_cast<size_t>(max_states * row_size_));
  }
  if (remote_ != nullptr && has_logits_) {
    queries_.resize(static_cast<size_t>(max_states));
    best_.resize(static_cast<size_t>(max_states));
  }
}

// Where all masks of the pass allow few tokens, only their rows are computed; log-probabilities
// need all rows.
void FullHead::ChooseRows(std::span<const HeadState> states) {
  needed_ids_.clear();
  for (const HeadState& state : states) {
    if (state.mask == nullptr || state.mask->count > grammar::TokenMask::kFew ||
        state.rules->want_logprobs) {
      needed_ids_.clear();
      return;
    }
    needed_ids_.insert(needed_ids_.end(), state.mask->few.begin(), state.mask->few.end());
  }
  std::sort(needed_ids_.begin(), needed_ids_.end());
  needed_ids_.erase(std::unique(needed_ids_.begin(), needed_ids_.end()), needed_ids_.end());
  // Blocks here and there read slower than the whole in order.
  if (2 * RowsOfNeeded() > pipeline_->model().vocab_size) needed_ids_.clear();
}

int64_t FullHead::RowsOfNeeded() const {
  int64_t rows = 0;
  std::vector<int32_t> blocks;
  size_t next = 0;
  for (const HeadShard& shard : pipeline_->Head().specs) {
    TakeBlocks(shard, needed_ids_, &next, &blocks);
    rows += RowsOf(shard, blocks);
  }
  return rows;
}

int64_t FullHead::RowsFor(std::span<const HeadState> states) {
  ChooseRows(states);
  return needed_ids_.empty() ? pipeline_->model().vocab_size : RowsOfNeeded();
}

int64_t FullHead::SharedStates(std::span<const HeadState> states) {
  ChooseRows(states);
  return needed_ids_.empty() ? MaxStates() : 0;
}

bool FullHead::LogitsAreFinite(int64_t state) const {
  if (best_only_) return best_[static_cast<size_t>(state)].wrong_id < 0;
  const std::span<const float> row = Row(state);
  if (needed_ids_.empty()) return kernels_.all_finite(row.data(), row_size_);
  return std::all_of(needed_ids_.begin(), needed_ids_.end(),
                     [row](int32_t id) { return std::isfinite(row[static_cast<size_t>(id)]); });
}

Result<void> FullHead::CheckFinite(int64_t state, int64_t position) const {
  if (LogitsAreFinite(state)) return {};
  const auto fail = [&](int32_t token, float logit) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("head {}: expected finite logits, found {} for token {} at position "
                            "{}: the weights of the head overflow in this model file",
                            pipeline_->Head().kind, logit, token, position));
  };
  if (best_only_) {
    const BestOfHead& best = best_[static_cast<size_t>(state)];
    return fail(best.wrong_id, best.wrong_logit);
  }
  const std::span<const float> row = Row(state);
  const auto is_wrong = [&](int32_t id) { return !std::isfinite(row[static_cast<size_t>(id)]); };
  int32_t found = 0;
  if (needed_ids_.empty()) {
    while (!is_wrong(found)) ++found;
  } else {
    found = *std::find_if(needed_ids_.begin(), needed_ids_.end(), is_wrong);
  }
  return fail(TokenOf(state, found), row[static_cast<size_t>(found)]);
}

void FullHead::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  ChooseRows(step.states);
  best_only_ = WantsBestOnly(step.states);
  projected_ =
      best_only_ ? FindBest(step, counters) : Project(step.hidden, step.NumStates(), counters);
}

// Where nothing but the largest value of all rows has a say, it need not be looked for here.
bool FullHead::WantsBestOnly(std::span<const HeadState> states) const {
  if (remote_ == nullptr || !has_logits_) return false;
  return std::all_of(states.begin(), states.end(), [](const HeadState& state) {
    const sampling::SamplingParams& params = state.rules->sampler.Params();
    return state.mask == nullptr && LooksAtLogitsAlone(params, state.rules->want_logprobs) &&
           (params.temperature == 0.0F || !sampling::HasFilters(params));
  });
}

Result<void> FullHead::FindBest(const HeadStep& step, Counters* counters) {
  const uint64_t start = NowNs();
  for (size_t i = 0; i < step.states.size(); ++i) {
    const HeadState& state = step.states[i];
    const sampling::SamplingParams& params = state.rules->sampler.Params();
    const bool perturbed = params.temperature > 0.0F;
    queries_[i] = {.perturbed = perturbed,
                   .inverse_temperature = perturbed ? 1.0F / params.temperature : 1.0F,
                   .seed = params.seed,
                   .position = static_cast<uint64_t>(state.position)};
  }
  const Result<void> found =
      remote_->FindBest(step.hidden, std::span(queries_).first(step.states.size()), best_);
  counters->head_predict_ns += NowNs() - start;
  if (!found) return Prefixed(found.error(), "head " + pipeline_->Head().kind);
  counters->head_rows_computed +=
      static_cast<uint64_t>(step.NumStates() * pipeline_->model().vocab_size);
  for (const auto& shard : pipeline_->Head().shards)
    counters->head_bytes_read += static_cast<uint64_t>(shard->WeightBytes());
  return {};
}

Result<void> FullHead::CheckState(int64_t state) const {
  if (!projected_) return projected_;
  return CheckFinite(state, step_.states[static_cast<size_t>(state)].position - 1);
}

bool FullHead::IsUsable(int64_t state) const {
  const int64_t D = pipeline_->model().hidden_size;
  return projected_.has_value() && kernels_.all_finite(step_.hidden + state * D, D) &&
         LogitsAreFinite(state);
}

Result<sampling::Sampler::Choice> FullHead::Choose(int64_t state, std::span<const int32_t> history,
                                                   Counters* counters) {
  const HeadState& at = step_.states[static_cast<size_t>(state)];
  ChoiceRules& rules = *at.rules;
  if (best_only_) {
    const BestOfHead& best = best_[static_cast<size_t>(state)];
    return sampling::Sampler::Choice{.token = best.id, .logit = best.logit, .logprob = 0.0F};
  }
  const auto mask =
      at.mask == nullptr ? std::span<const uint64_t>() : std::span<const uint64_t>(at.mask->bits);
  const uint64_t start = NowNs();
  const bool by_blocks = mask.empty() && !first_block_.empty() &&
                         IsPlainGreedy(rules.sampler.Params(), rules.want_logprobs);
  const sampling::Sampler::Choice choice =
      !has_logits_ ? BestOfWinners(state)
      : by_blocks  ? BestOfBlocks(state)
                   : rules.sampler.Sample(Row(state), static_cast<uint64_t>(at.position), history,
                                          rules.want_logprobs, mask);
  const uint64_t ns = NowNs() - start;
  counters->head_reduce_ns += ns;
  counters->head_reduce_shard_work_ns += ns;
  return choice;
}

Result<std::span<float>> FullHead::Logits(const float* hidden, int64_t num_states,
                                          int64_t first_position, Counters* counters) {
  needed_ids_.clear();
  best_only_ = false;
  HW_TRY_VOID(Project(hidden, num_states, counters));
  for (int64_t state = 0; state < num_states; ++state)
    HW_TRY_VOID(CheckFinite(state, first_position + state));
  return logits_.As<float>(static_cast<size_t>(num_states * row_size_));
}

Result<void> FullHead::Project(const float* hidden, int64_t num_states,
                               Counters* counters) noexcept {
  HW_CHECK(num_states >= 1 && num_states <= max_states_, "a head step of at most MaxStates");
  const uint64_t start = NowNs();
  Result<void> projected = OrOutOfMemory("the head", [&]() -> Result<void> {
    Result<void> done = needed_ids_.empty() ? ProjectAll(hidden, num_states, counters)
                                            : ProjectNeeded(hidden, num_states, counters);
    if (done) return done;
    return Prefixed(std::move(done).error(), "head " + pipeline_->Head().kind);
  });
  counters->head_predict_ns += NowNs() - start;
  return projected;
}

Result<void> FullHead::ProjectAll(const float* hidden, int64_t num_states, Counters* counters) {
  if (!has_logits_) {
    for (size_t i = 0; i < workspaces_.size(); ++i)
      HW_TRY_VOID(RunShard(i, ArgsOf(i, hidden, num_states, {}), counters));
    return {};
  }
  struct {
    Counters* counters;
    const FullHead* head;
    uint64_t since;
  } clock{counters, this, NowNs()};
  for (size_t i = 0; i < runs_.size(); ++i) runs_[i].args = ArgsOf(i, hidden, num_states, {});
  // One pointer, so that the function needs no memory.
  return pipeline_->Head().shards.front()->RunHead(runs_, [&clock](size_t shard) {
    const uint64_t now = NowNs();
    clock.head->Count(shard, clock.head->runs_[shard].args, now - clock.since, clock.counters);
    clock.since = now;
  });
}

// The logits of tokens that are not needed are -infinity or, in the same block of rows, their own.
Result<void> FullHead::ProjectNeeded(const float* hidden, int64_t num_states, Counters* counters) {
  HW_CHECK(has_logits_, "a head that gives logits");
  const auto logits = logits_.As<float>(static_cast<size_t>(num_states * row_size_));
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  if (remote_ != nullptr) return ProjectNeededAtOnce(hidden, num_states, counters);
  size_t next = 0;
  for (size_t i = 0; i < workspaces_.size(); ++i) {
    TakeBlocks(pipeline_->Head().specs[i], needed_ids_, &next, &blocks_);
    if (blocks_.empty()) continue;
    HW_TRY_VOID(RunShard(i, ArgsOf(i, hidden, num_states, blocks_), counters));
  }
  return {};
}

// The same of shards elsewhere: asked one after the other, each would be waited for.
Result<void> FullHead::ProjectNeededAtOnce(const float* hidden, int64_t num_states,
                                           Counters* counters) {
  std::vector<std::vector<int32_t>> blocks(runs_.size());
  std::vector<HeadRun> runs;
  std::vector<size_t> shards;
  size_t next = 0;
  for (size_t i = 0; i < runs_.size(); ++i) {
    TakeBlocks(pipeline_->Head().specs[i], needed_ids_, &next, &blocks[i]);
    if (blocks[i].empty()) continue;
    runs.push_back({.shard = runs_[i].shard, .args = ArgsOf(i, hidden, num_states, blocks[i])});
    shards.push_back(i);
  }
  uint64_t since = NowNs();
  return pipeline_->Head().shards.front()->RunHead(runs, [&](size_t run) {
    const uint64_t now = NowNs();
    Count(shards[run], runs[run].args, now - since, counters);
    since = now;
  });
}

// All rows of the shard when `blocks` is empty.
StepArgs FullHead::ArgsOf(size_t shard, const float* hidden, int64_t num_states,
                          std::span<const int32_t> blocks) {
  const bool has_blocks = !first_block_.empty();
  return {.num_tokens = num_states,
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

Result<void> FullHead::RunShard(size_t shard, const StepArgs& args, Counters* counters) {
  const uint64_t start = NowNs();
  HW_TRY_VOID(pipeline_->Head().shards[shard]->Run(args));
  if (!has_logits_) KeepWinners(shard, args.num_tokens);
  Count(shard, args, NowNs() - start, counters);
  return {};
}

void FullHead::Count(size_t shard, const StepArgs& args, uint64_t ns, Counters* counters) const {
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
void FullHead::KeepWinners(size_t shard, int64_t num_states) noexcept {
  const HeadShard& spec = pipeline_->Head().specs[shard];
  for (int64_t t = 0; t < num_states; ++t) {
    const float row = winners_[static_cast<size_t>(2 * t + 1)];
    const bool exists = row >= 0.0F && row < static_cast<float>(spec.vocab_end - spec.vocab_start);
    Row(t)[shard] =
        exists ? winners_[static_cast<size_t>(2 * t)] : std::numeric_limits<float>::quiet_NaN();
    winner_ids_[static_cast<size_t>(t * row_size_) + shard] =
        static_cast<int32_t>(spec.vocab_start + (exists ? static_cast<int64_t>(row) : 0));
  }
}

int32_t FullHead::TokenOf(int64_t state, int64_t column) const {
  if (has_logits_) return static_cast<int32_t>(column);
  return winner_ids_[static_cast<size_t>(state * row_size_ + column)];
}

// The best of the shards' winners; shards are in order of their ids, so the first among equals.
sampling::Sampler::Choice FullHead::BestOfWinners(int64_t state) const noexcept {
  const std::span<const float> winners = Row(state);
  const auto best = std::max_element(winners.begin(), winners.end());
  return {.token = TokenOf(state, best - winners.begin()), .logit = *best, .logprob = 0.0F};
}

// The lowest id among the largest logits: the first block with the largest maximum, then its first
// logit that equals it.
sampling::Sampler::Choice FullHead::BestOfBlocks(int64_t state) const noexcept {
  const int64_t blocks = first_block_.back();
  const float* const maxima = maxima_.data() + state * blocks;
  const int64_t best = std::max_element(maxima, maxima + blocks) - maxima;
  const auto shard = static_cast<size_t>(
      std::upper_bound(first_block_.begin(), first_block_.end(), best) - first_block_.begin() - 1);
  const HeadShard& spec = pipeline_->Head().specs[shard];
  const int64_t first = spec.vocab_start + (best - first_block_[shard]) * block_rows_[shard];
  const int64_t end = std::min(first + block_rows_[shard], spec.vocab_end);
  const std::span<const float> logits = Row(state);
  const auto token = std::max_element(logits.begin() + first, logits.begin() + end);
  return {.token = static_cast<int32_t>(token - logits.begin()), .logit = *token, .logprob = 0.0F};
}

}  // namespace headway
