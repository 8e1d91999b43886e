#include "engine/local_search.h"

#include <span>

#include "base/platform.h"

namespace headway {
namespace {

// The rows that `head` has; empty: all of the vocabulary.
lmhead::RowRange RowsOf(const LoadedHead& head, int64_t vocab_size) {
  const lmhead::RowRange rows{.begin = head.specs.front().vocab_start,
                              .end = head.specs.back().vocab_end};
  return rows.begin == 0 && rows.end == vocab_size ? lmhead::RowRange{} : rows;
}

}  // namespace

Result<std::unique_ptr<LocalSearch>> LocalSearch::Create(const LoadedHead* head,
                                                         const ModelConfig& model, ThreadPool* pool,
                                                         const kernels::KernelSet& kernels,
                                                         int64_t max_states) {
  uint64_t noise_key = 0;
  if (!platform::FillRandom(std::as_writable_bytes(std::span(&noise_key, 1))))
    return Fail(ErrorCode::kIo, "certified head: no random numbers from the system");
  return std::unique_ptr<LocalSearch>(
      new LocalSearch(head, model, pool, kernels, max_states, noise_key));
}

LocalSearch::LocalSearch(const LoadedHead* head, const ModelConfig& model, ThreadPool* pool,
                         const kernels::KernelSet& kernels, int64_t max_states, uint64_t noise_key)
    : inputs_(head, model.hidden_size, max_states),
      rows_(head, &inputs_),
      signs_(head, model.vocab_size),
      search_(&*head->planes, &rows_, kernels, pool, max_states,
              {.certificate = {},
               .noise_key = noise_key,
               .device_or_null = HeadSigns::Exist(*head) ? &signs_ : nullptr,
               .rows = RowsOf(*head, model.vocab_size),
               .soft_cap = model.logit_soft_cap}) {}

Result<void> LocalSearch::Begin(const float* hidden, int64_t num_states,
                                std::span<const lmhead::ScreenDemand> demands) {
  signs_.ClearOutcome();
  inputs_.Compute(hidden, num_states);
  if (demands.empty()) return {};
  search_.Screen(inputs_.Multiplied(), demands);
  return signs_.Outcome();
}

}  // namespace headway
