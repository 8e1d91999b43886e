#include "engine/row_drafts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"

namespace headway {
namespace {

// The tables are sized for sequences up to that; longer ones share slots, which costs guesses.
constexpr int64_t kMostIndexed = 16384;
// Guesses come true that often before any runs, and that likely is the last one that runs.
constexpr double kTrusted = 0.6;
constexpr double kLastOne = 0.35;

}  // namespace

RowDrafts::RowDrafts(int64_t capacity_tokens, const SpeculationParams& params,
                     std::function<bool(int32_t)> is_end)
    : most_drafts_(params.most_drafts),
      adapt_(params.adapt),
      is_end_(std::move(is_end)),
      lookup_(params.min_ngram, params.max_ngram, std::min(capacity_tokens, kMostIndexed)),
      length_(params.most_drafts) {}

GuessedDraft RowDrafts::Guess(std::span<const int32_t> tokens, int64_t most) {
  const Result<GuessedDraft> found = lookup_.Propose(tokens, most);
  if (!found) return {};
  GuessedDraft draft = *found;
  if (!is_end_) return draft;
  const auto end = std::find_if(draft.tokens.begin(), draft.tokens.end(), is_end_);
  draft.tokens = draft.tokens.first(static_cast<size_t>(end - draft.tokens.begin()));
  return draft;
}

std::span<const int32_t> RowDrafts::Propose(std::span<const int32_t> tokens, int64_t room) {
  int64_t most = std::min(room, most_drafts_);
  if (adapt_) {
    const double rate = length_.AcceptanceRate();
    if (rate < kTrusted) return {};
    const double worth = std::floor(std::log(kLastOne) / std::log(std::min(rate, 0.99)));
    most = std::min(most, static_cast<int64_t>(worth));
  }
  if (most < 1) return {};
  const uint64_t start = NowNs();
  const GuessedDraft draft = Guess(tokens, most);
  counters_.draft_ns += NowNs() - start;
  ngram_ = draft.ngram;
  return draft.tokens;
}

void RowDrafts::Saw(std::span<const int32_t> tokens, int64_t num_drafts, int64_t num_choices) {
  const int64_t right = std::min(num_choices - 1, num_drafts);
  CountNgram(&counters_, std::exchange(ngram_, 0), num_drafts, right);
  if (!adapt_) return;
  if (num_drafts > 0) {
    guess_ = {};
    length_.SawGuesses(right, right < num_drafts);
    return;
  }
  for (const int32_t token : tokens.last(static_cast<size_t>(num_choices))) {
    if (!guess_.Active()) break;
    guess_.Follow(token);
    if (!guess_.Active()) length_.SawGuesses(guess_.Right(), guess_.Failed());
  }
  if (guess_.Active()) return;
  guess_.Start(Guess(tokens, most_drafts_));
}

}  // namespace headway
