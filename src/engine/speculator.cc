#include "engine/speculator.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace headway {
namespace {

void AddAt(std::vector<uint64_t>* counts, int64_t n, uint64_t count) {
  if (counts->size() <= static_cast<size_t>(n)) counts->resize(static_cast<size_t>(n) + 1);
  (*counts)[static_cast<size_t>(n)] += count;
}

}  // namespace

void CountNgram(SpeculationCounters* counters, int64_t n, int64_t drafted, int64_t accepted) {
  if (n == 0 || drafted == 0) return;
  AddAt(&counters->drafted_by_ngram, n, static_cast<uint64_t>(drafted));
  AddAt(&counters->accepted_by_ngram, n, static_cast<uint64_t>(accepted));
}

void GuessedTokens::Start(const GuessedDraft& draft) {
  tokens_.assign(draft.tokens.begin(), draft.tokens.end());
  ngram_ = draft.ngram;
  next_ = 0;
  right_ = 0;
  failed_ = false;
}

void GuessedTokens::Follow(int32_t token) {
  if (!Active()) return;
  failed_ = tokens_[next_] != token;
  right_ += failed_ ? 0 : 1;
  next_ = failed_ ? tokens_.size() : next_ + 1;
}

Speculator::Speculator(std::unique_ptr<Drafter> drafter, SpeculatorOptions options)
    : drafter_(std::move(drafter)), options_(std::move(options)), length_(options_.most_drafts) {}

Result<void> Speculator::ReadPrompt(std::span<const int32_t> tokens) {
  HW_TRY([[maybe_unused]] const GuessedDraft none, drafter_->Propose(tokens, 0));
  return {};
}

// Drafts that may run: not beyond the end of a text.
Result<GuessedDraft> Speculator::Propose(const Session& session, int64_t most) {
  HW_TRY(GuessedDraft draft, drafter_->Propose(session.Tokens(), most));
  if (!options_.is_end) return draft;
  const auto end = std::find_if(draft.tokens.begin(), draft.tokens.end(), options_.is_end);
  draft.tokens = draft.tokens.first(static_cast<size_t>(end - draft.tokens.begin()));
  return draft;
}

Result<std::span<const sampling::Sampler::Choice>> Speculator::Step(Session* session,
                                                                    int64_t most_tokens) {
  const uint64_t start = NowNs();
  const int64_t wanted = options_.adapt ? length_.Best() : options_.most_drafts;
  const int64_t most = std::min(wanted, most_tokens - 1);
  GuessedDraft draft;
  if (most > 0) {
    HW_TRY(draft, Propose(*session, most));
  }
  const uint64_t drafted_at = NowNs();
  counters_.draft_ns += drafted_at - start;
  const Counters& session_counters = session->GetCounters();
  const uint64_t steps_before = session_counters.steps;
  const uint64_t drafts_before = session_counters.speculation.drafted;
  HW_TRY(const auto choices, session->DecodeWithDrafts(draft.tokens));
  const auto drafted = static_cast<int64_t>(session_counters.speculation.drafted - drafts_before);
  const auto accepted = static_cast<int64_t>(choices.size()) - 1;
  CountNgram(&counters_, draft.ngram, drafted, accepted);
  // A first choice after a prompt took a head's time alone and says nothing about steps.
  if (session_counters.steps > steps_before) length_.SawStep(drafted, accepted, NowNs() - start);
  if (!options_.adapt || !drafter_->IsFree()) return choices;

  // Guesses that do not run are followed for nothing, so that a text that begins to repeat itself
  // is noticed at once.
  const bool was_active = guess_.Active();
  if (drafted > 0) {
    guess_ = {};
  } else if (was_active) {
    guess_.Follow(choices.front().token);
    if (!guess_.Active()) length_.SawGuesses(guess_.Right(), guess_.Failed());
  }
  if (drafted == 0 && !guess_.Active()) {
    HW_TRY(const GuessedDraft next, Propose(*session, options_.most_drafts));
    guess_.Start(next);
  }
  return choices;
}

void Speculator::AddTo(SpeculationCounters* counters) const {
  counters->draft_ns += counters_.draft_ns;
  counters->drafted_by_ngram = counters_.drafted_by_ngram;
  counters->accepted_by_ngram = counters_.accepted_by_ngram;
}

SpeculationProbe::SpeculationProbe(std::unique_ptr<Drafter> drafter, int64_t most_drafts)
    : drafter_(std::move(drafter)), most_drafts_(most_drafts) {}

Result<void> SpeculationProbe::Follow(std::span<const int32_t> tokens) {
  if (in_pass_) {
    const bool was_active = guess_.Active();
    guess_.Follow(tokens.back());
    // The token after a wrong guess, or after the last right one, is the verifier's own.
    const bool pass_is_over = guess_.Failed() || !was_active;
    if (!pass_is_over) return {};
    EndPass();
  }
  const uint64_t start = NowNs();
  HW_TRY(const GuessedDraft draft, drafter_->Propose(tokens, most_drafts_));
  counters_.draft_ns += NowNs() - start;
  guess_.Start(draft);
  in_pass_ = true;
  return {};
}

void SpeculationProbe::EndPass() {
  ++counters_.passes;
  counters_.tokens += static_cast<uint64_t>(guess_.Right()) + 1;
  counters_.drafted += static_cast<uint64_t>(guess_.Size());
  counters_.accepted += static_cast<uint64_t>(guess_.Right());
  CountNgram(&counters_, guess_.Ngram(), guess_.Size(), guess_.Right());
  in_pass_ = false;
}

}  // namespace headway
