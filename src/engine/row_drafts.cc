#include "engine/row_drafts.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headway {
namespace {

constexpr int64_t kShortestNgram = 2;
constexpr int64_t kLongestRowNgram = 4;
// The tables are sized for sequences up to that; longer ones share slots, which costs guesses.
constexpr int64_t kMostIndexed = 16384;
// Guesses come true that often before any runs, and that likely is the last one that runs.
constexpr double kTrusted = 0.6;
constexpr double kLastOne = 0.35;

}  // namespace

RowDrafts::RowDrafts(int64_t capacity_tokens, int64_t most_drafts,
                     std::function<bool(int32_t)> is_end)
    : most_drafts_(most_drafts),
      is_end_(std::move(is_end)),
      lookup_(kShortestNgram, kLongestRowNgram, std::min(capacity_tokens, kMostIndexed)),
      length_(most_drafts) {}

std::span<const int32_t> RowDrafts::Guess(std::span<const int32_t> tokens, int64_t most) {
  const Result<GuessedDraft> draft = lookup_.Propose(tokens, most);
  if (!draft) return {};
  if (!is_end_) return draft->tokens;
  const auto end = std::find_if(draft->tokens.begin(), draft->tokens.end(), is_end_);
  return draft->tokens.first(static_cast<size_t>(end - draft->tokens.begin()));
}

std::span<const int32_t> RowDrafts::Propose(std::span<const int32_t> tokens, int64_t room) {
  const double rate = length_.AcceptanceRate();
  if (room < 1 || rate < kTrusted) return {};
  const double worth = std::floor(std::log(kLastOne) / std::log(std::min(rate, 0.99)));
  const auto most = std::min({room, most_drafts_, static_cast<int64_t>(worth)});
  return most < 1 ? std::span<const int32_t>() : Guess(tokens, most);
}

void RowDrafts::Saw(std::span<const int32_t> tokens, int64_t num_drafts, int64_t num_choices) {
  if (num_drafts > 0) {
    guess_ = {};
    const int64_t right = std::min(num_choices - 1, num_drafts);
    length_.SawGuesses(right, right < num_drafts);
    return;
  }
  for (const int32_t token : tokens.last(static_cast<size_t>(num_choices))) {
    if (!guess_.Active()) break;
    guess_.Follow(token);
    if (!guess_.Active()) length_.SawGuesses(guess_.Right(), guess_.Failed());
  }
  if (guess_.Active()) return;
  guess_.Start({.tokens = Guess(tokens, most_drafts_), .ngram = 0});
}

}  // namespace headway
