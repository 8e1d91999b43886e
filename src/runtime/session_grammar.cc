// The part of a session that follows a grammar.

#include <cmath>

#include "runtime/session.h"

namespace headway {
namespace {

// Ids that the sampling parameters forbid, one bit each.
std::vector<uint64_t> Banned(const sampling::SamplingParams& params, int64_t vocab_size) {
  std::vector<uint64_t> banned(static_cast<size_t>(vocab_size + 63) / 64,
                               params.allow_ids.empty() ? uint64_t{0} : ~uint64_t{0});
  const auto bit = [](int32_t id) { return uint64_t{1} << (static_cast<size_t>(id) % 64); };
  for (const int32_t id : params.allow_ids) banned[static_cast<size_t>(id) / 64] &= ~bit(id);
  for (const auto& [id, bias] : params.logit_bias) {
    if (std::isinf(bias)) banned[static_cast<size_t>(id) / 64] |= bit(id);
  }
  return banned;
}

}  // namespace

// The masks of the pending position and of those after the drafts, and how many drafts the grammar
// allows. Drafts that lead where no token is allowed are left to later steps, which report it.
Result<int64_t> Session::FollowGrammar(std::span<const int32_t> drafts) {
  masks_.clear();
  if (grammar_ == nullptr) return static_cast<int64_t>(drafts.size());
  grammar_at_ = grammar_->Trim(grammar_at_);
  HW_TRY(const grammar::TokenMask* first, grammar_->MaskAt(grammar_at_));
  masks_.push_back(first);
  grammar::TokenGrammar::Position at = grammar_at_;
  for (const int32_t draft : drafts) {
    if (!masks_.back()->Allows(draft)) break;
    at = grammar_->After(at, draft);
    const auto next = grammar_->MaskAt(at);
    if (!next) break;
    masks_.push_back(*next);
  }
  return static_cast<int64_t>(masks_.size()) - 1;
}

std::span<const sampling::Sampler::Choice> Session::AppendForced(int32_t token) {
  choices_.assign(1, {.token = token, .logit = 0.0F, .logprob = 0.0F});
  certificates_.clear();
  if (head_->LastCertificate() != nullptr)
    certificates_.push_back({.token = token, .fallback = true});
  tokens_.push_back(token);
  grammar_at_ = grammar_->After(grammar_at_, token);
  ++counters_.head_skipped;
  ++counters_.forced_tokens;
  return choices_;
}

void Session::RestartGrammar() {
  prompt_end_ = grammar_from_ = static_cast<int64_t>(tokens_.size());
  if (options_.grammar == nullptr) return;
  if (grammar_ == nullptr) {
    const int64_t vocab_size = pipeline_->model().vocab_size;
    grammar_ = std::make_unique<grammar::TokenGrammar>(
        options_.grammar, options_.trie, Banned(options_.sampling, vocab_size), vocab_size);
    masks_.reserve(static_cast<size_t>(MaxDrafts()) + 1);
  }
  grammar_at_ = grammar_->Start();
}

bool Session::GrammarIsOver() const { return grammar_ != nullptr && grammar_->IsOver(grammar_at_); }

}  // namespace headway
