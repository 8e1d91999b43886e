#pragma once

// Prompt lookup: the last tokens of the sequence are searched for in the sequence itself, and what
// followed them there is the guess (Saxena, "Prompt Lookup Decoding", 2023). Good at text that
// repeats its prompt: code edits, summaries, lists. The longest n-gram and its latest occurrence
// win.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/drafter.h"

namespace headway {

class LookupDrafter final : public Drafter {
 public:
  static constexpr int64_t kLongestNgram = 16;

  // Looks for n-grams of `max_n` down to `min_n` tokens, 1 <= min_n <= max_n <= kLongestNgram, in
  // sequences of up to `capacity_tokens`. Allocates everything that Propose needs.
  LookupDrafter(int64_t min_n, int64_t max_n, int64_t capacity_tokens);

  // Never fails. Every token that is new since the last call costs max_n - min_n + 1 table entries.
  Result<Draft> Propose(std::span<const int32_t> tokens, int64_t most) override;
  bool IsFree() const override { return true; }

 private:
  void Index(std::span<const int32_t> tokens);
  // Where the latest earlier occurrence of the last n tokens ends, or -1.
  int64_t Find(std::span<const int32_t> tokens, int64_t n) const;
  size_t Slot(std::span<const int32_t> ngram) const;

  const int64_t min_n_;
  const int64_t max_n_;
  size_t slots_per_n_;          // a power of two
  std::vector<int32_t> ends_;   // [n - min_n][slot]: one past the n-gram's last token; 0: empty
  std::vector<int32_t> known_;  // the tokens that were indexed, to notice another sequence
  std::vector<int32_t> draft_;
};

}  // namespace headway
