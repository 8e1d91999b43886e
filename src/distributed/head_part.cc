#include "distributed/head_part.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headway::distributed {

HeadPart::HeadPart(LoadedHead loaded, const ModelConfig& model, ThreadPool* pool,
                   const kernels::KernelSet& kernels)
    : loaded_(std::move(loaded)), model_(model), pool_(pool), kernels_(kernels) {
  int64_t scratch_bytes = 0;
  for (const auto& shard : loaded_.shards) {
    workspaces_.push_back(shard->NewWorkspace(0));
    scratch_bytes = std::max(scratch_bytes, shard->ScratchBytes());
  }
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
}

Result<void> HeadPart::Run(const float* hidden, int64_t num_states,
                           std::span<const ShardOutput> outputs) {
  std::vector<HeadRun> runs;
  bool all_rows = true;
  for (const ShardOutput& wanted : outputs) {
    all_rows = all_rows && wanted.blocks.empty();
    runs.push_back({.shard = loaded_.shards[wanted.shard].get(),
                    .args = {.num_tokens = num_states,
                             .input = hidden,
                             .output = wanted.output,
                             .output_stride = wanted.output_stride,
                             .block_maxima = wanted.maxima,
                             .maxima_stride = wanted.maxima_stride,
                             .scratch = scratch_.data(),
                             .workspace = workspaces_[wanted.shard].get(),
                             .needed_blocks = wanted.blocks}});
  }
  if (all_rows && !runs.empty()) return runs.front().shard->RunHead(runs, [](size_t) {});
  for (const HeadRun& run : runs) HW_TRY_VOID(run.shard->Run(run.args));
  return {};
}

Result<void> HeadPart::FindBest(const float* hidden, std::span<const BestQuery> queries,
                                std::span<BestOfHead> best) {
  const lmhead::RowRange rows = Rows();
  const int64_t num_rows = rows.end - rows.begin;
  const auto num_states = static_cast<int64_t>(queries.size());
  logits_.resize(static_cast<size_t>(num_states * num_rows));
  std::vector<ShardOutput> outputs;
  for (size_t i = 0; i < loaded_.shards.size(); ++i) {
    outputs.push_back({.shard = i,
                       .output = logits_.data() + loaded_.specs[i].vocab_start - rows.begin,
                       .output_stride = num_rows});
  }
  HW_TRY_VOID(Run(hidden, num_states, outputs));
  for (size_t t = 0; t < queries.size(); ++t) {
    const float* const logits = logits_.data() + static_cast<int64_t>(t) * num_rows;
    best[t] = {};
    if (!kernels_.all_finite(logits, num_rows)) {
      const float* const wrong = std::find_if_not(logits, logits + num_rows,
                                                  [](float logit) { return std::isfinite(logit); });
      best[t].wrong_id = static_cast<int32_t>(rows.begin + (wrong - logits));
      best[t].wrong_logit = *wrong;
      continue;
    }
    const BestQuery& query = queries[t];
    const kernels::ArgMax found =
        query.perturbed ? kernels_.gumbel_argmax(logits, num_rows, query.inverse_temperature,
                                                 query.seed, query.position, rows.begin)
                        : kernels_.argmax(logits, num_rows);
    // Both count from the first of the values.
    best[t].id = static_cast<int32_t>(rows.begin + found.index);
    best[t].value = found.value;
    best[t].logit = logits[found.index];
  }
  return {};
}

Result<LocalSearch*> HeadPart::Search(int64_t max_states) {
  if (!loaded_.planes) return nullptr;
  if (search_ == nullptr || search_->MaxStates() < max_states) {
    HW_TRY(search_, LocalSearch::Create(&loaded_, model_, pool_, kernels_, max_states));
  }
  return search_.get();
}

BestOfHead BetterOf(const BestOfHead& a, const BestOfHead& b) {
  const bool takes_b =
      a.id < 0 || (b.id >= 0 && (b.value > a.value || (b.value == a.value && b.id < a.id)));
  BestOfHead best = takes_b ? b : a;
  const bool wrong_b = a.wrong_id < 0 || (b.wrong_id >= 0 && b.wrong_id < a.wrong_id);
  best.wrong_id = wrong_b ? b.wrong_id : a.wrong_id;
  best.wrong_logit = wrong_b ? b.wrong_logit : a.wrong_logit;
  return best;
}

}  // namespace headway::distributed
