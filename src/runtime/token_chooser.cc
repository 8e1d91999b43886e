#include "runtime/token_chooser.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/make_head.h"

namespace headway {

Result<std::unique_ptr<TokenChooser>> TokenChooser::Create(Pipeline* pipeline, ThreadPool* pool,
                                                           const kernels::KernelSet& kernels,
                                                           const ChooserOptions& options,
                                                           int64_t max_states) {
  std::unique_ptr<TokenChooser> chooser(new TokenChooser(pipeline, pool, kernels, options));
  HW_TRY(chooser->head_, MakeHead(pipeline, pool, kernels, &chooser->sampler_, options.certified));
  if (!IsPlainGreedy(options.sampling, options.want_logprobs)) {
    HW_TRY_VOID(
        chooser->CheckHasLogits("greedy decoding without penalties, biases, allow-lists and "
                                "log-probabilities"));
  }
  chooser->max_states_ = std::min(max_states, chooser->head_->MaxStates());
  chooser->scratch_ = AlignedBuffer(static_cast<size_t>(chooser->head_->ScratchBytes()));
  chooser->choices_.reserve(static_cast<size_t>(chooser->max_states_));
  chooser->certificates_.reserve(chooser->choices_.capacity());
  return chooser;
}

TokenChooser::TokenChooser(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
                           const ChooserOptions& options)
    : pipeline_(pipeline),
      want_logprobs_(options.want_logprobs),
      sampler_(options.sampling, pipeline->model().vocab_size, kernels, *pool) {}

Result<void> TokenChooser::CheckHasLogits(const char* otherwise) const {
  if (head_->HasLogits()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("head {}: it gives the best token and no logits: expected {}, or a head "
                          "like full:4",
                          pipeline_->Head().kind, otherwise));
}

Result<std::span<const TokenChooser::Choice>> TokenChooser::Choose(
    const float* hidden, std::span<const int32_t> tokens, int64_t num_drafts,
    std::span<const grammar::TokenMask* const> masks, Counters* counters) {
  const int64_t length = static_cast<int64_t>(tokens.size()) - num_drafts;
  HW_TRY_VOID(head_->Begin({.hidden = hidden,
                            .num_states = 1 + num_drafts,
                            .first_position = length,
                            .want_logprobs = want_logprobs_,
                            .scratch = scratch_.data(),
                            .masks = masks},
                           counters));
  choices_.clear();
  certificates_.clear();
  for (int64_t j = 0;; ++j) {
    const auto position = static_cast<size_t>(length + j);
    HW_TRY(const Choice choice, head_->Choose(j, tokens.first(position), counters));
    choices_.push_back(choice);
    if (const Certificate* evidence = head_->LastCertificate()) certificates_.push_back(*evidence);
    // A state that is not finite is left to the next step, which finds it again and reports it.
    const bool is_right =
        j < num_drafts && tokens[position] == choice.token && head_->IsUsable(j + 1);
    if (!is_right) return std::span<const Choice>(choices_);
  }
}

std::span<const TokenChooser::Choice> TokenChooser::Force(int32_t token) {
  choices_.assign(1, {.token = token, .logit = 0.0F, .logprob = 0.0F});
  certificates_.clear();
  if (head_->LastCertificate() != nullptr)
    certificates_.push_back({.token = token, .fallback = true});
  return choices_;
}

Result<std::span<float>> TokenChooser::Logits(int64_t first_position, const float* hidden,
                                              int64_t num_states, Counters* counters) {
  return head_->Logits({.hidden = hidden,
                        .num_states = num_states,
                        .first_position = first_position + 1,
                        .want_logprobs = false,
                        .scratch = scratch_.data(),
                        .masks = {}},
                       counters);
}

}  // namespace headway
