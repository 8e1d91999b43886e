#include "engine/drafter.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace headway {

LookupDrafter::LookupDrafter(int64_t min_n, int64_t max_n, int64_t capacity_tokens)
    : min_n_(min_n), max_n_(max_n) {
  HW_CHECK(min_n >= 1 && min_n <= max_n && max_n <= kLongestNgram, "n-gram lengths are checked");
  // At most half full. Two n-grams that fall into one slot cost a guess, never a wrong token.
  slots_per_n_ = std::bit_ceil(static_cast<size_t>(std::max<int64_t>(2 * capacity_tokens, 64)));
  ends_.assign(slots_per_n_ * static_cast<size_t>(max_n - min_n + 1), 0);
  known_.reserve(static_cast<size_t>(capacity_tokens) + 1);
  draft_.reserve(64);
}

Result<GuessedDraft> LookupDrafter::Propose(std::span<const int32_t> tokens, int64_t most) {
  Index(tokens);
  draft_.clear();
  for (int64_t n = max_n_; n >= min_n_ && most > 0; --n) {
    const int64_t found = Find(tokens, n);
    if (found < 0) continue;
    // Where the source runs into the end of the sequence the guess continues itself, as in LZ77: a
    // loop of three tokens drafts as far as asked.
    const auto length = static_cast<int64_t>(tokens.size());
    const int64_t period = length - found;
    for (int64_t i = 0; i < most; ++i) {
      draft_.push_back(tokens[static_cast<size_t>(found + i % period)]);
    }
    return GuessedDraft{.tokens = draft_, .ngram = n};
  }
  return GuessedDraft{};
}

// An n-gram goes into the table when the token after it is known.
void LookupDrafter::Index(std::span<const int32_t> tokens) {
  const bool continues = known_.size() <= tokens.size() &&
                         (known_.empty() || known_.back() == tokens[known_.size() - 1]);
  if (!continues) {
    known_.clear();
    std::fill(ends_.begin(), ends_.end(), 0);
  }
  for (size_t end = std::max<size_t>(known_.size(), 1); end < tokens.size(); ++end) {
    for (int64_t n = min_n_; n <= max_n_ && n <= static_cast<int64_t>(end); ++n) {
      const auto length = static_cast<size_t>(n);
      ends_[static_cast<size_t>(n - min_n_) * slots_per_n_ +
            Slot(tokens.subspan(end - length, length))] = static_cast<int32_t>(end);
    }
  }
  known_.insert(known_.end(), tokens.begin() + static_cast<int64_t>(known_.size()), tokens.end());
}

int64_t LookupDrafter::Find(std::span<const int32_t> tokens, int64_t n) const {
  const auto length = static_cast<size_t>(n);
  if (tokens.size() <= length) return -1;
  const auto last = tokens.last(length);
  const int32_t end = ends_[static_cast<size_t>(n - min_n_) * slots_per_n_ + Slot(last)];
  if (end == 0 || static_cast<size_t>(end) >= tokens.size()) return -1;
  const auto found = tokens.subspan(static_cast<size_t>(end) - length, length);
  return std::equal(last.begin(), last.end(), found.begin()) ? end : -1;
}

size_t LookupDrafter::Slot(std::span<const int32_t> ngram) const {
  uint64_t hash = ngram.size();
  for (const int32_t id : ngram) {
    hash = (hash ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29;
  }
  return static_cast<size_t>(hash) & (slots_per_n_ - 1);
}

ModelDrafter::ModelDrafter(std::unique_ptr<Session> session, int64_t capacity_tokens)
    : session_(std::move(session)), capacity_tokens_(capacity_tokens) {}

Result<GuessedDraft> ModelDrafter::Propose(std::span<const int32_t> tokens, int64_t most) {
  const auto length = static_cast<int64_t>(tokens.size());
  if (length + most > capacity_tokens_) return GuessedDraft{};
  // What both agree on stays; with guesses that came true only the newest token is run.
  const std::span<const int32_t> mine = session_->Tokens();
  const auto agreed = std::mismatch(mine.begin(), mine.end(), tokens.begin(), tokens.end()).first;
  const auto common = static_cast<size_t>(agreed - mine.begin());
  session_->Truncate(static_cast<int64_t>(common));
  HW_TRY_VOID(session_->Append(tokens.subspan(common)));
  draft_.clear();
  for (int64_t i = 0; i < most; ++i) {
    HW_TRY(const auto choice, session_->Decode());
    draft_.push_back(choice.token);
  }
  return GuessedDraft{.tokens = draft_, .ngram = 0};
}

}  // namespace headway
