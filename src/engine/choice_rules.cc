#include "engine/choice_rules.h"

#include <algorithm>

namespace headway {

ChoiceRules::ChoiceRules(const ChoiceOptions& options, const Pipeline& pipeline,
                         const kernels::KernelSet& kernels, ThreadPool* pool)
    : sampler(options.sampling, pipeline.model().vocab_size, kernels, *pool),
      want_logprobs(options.want_logprobs),
      certified(options.certified) {
  if (!pipeline.Head().planes) return;
  const int64_t vocab_size = pipeline.model().vocab_size;
  sparse.emplace(options.sampling, vocab_size, kernels);
  goal = sampling::SparseGoalOf(options.sampling, vocab_size);
  if (!sparse->Allowed().empty())
    goal.keep = std::min(goal.keep, static_cast<int64_t>(sparse->Allowed().size()));
}

}  // namespace headway
