#pragma once

// Who guesses the next tokens. Guesses may be anything: Session::DecodeWithDrafts() chooses the
// same tokens with good ones, bad ones and none.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/session.h"

namespace headway {

struct GuessedDraft {
  std::span<const int32_t> tokens;  // valid until the drafter is called again
  int64_t ngram = 0;                // length of the n-gram that was found; 0: no lookup
};

class Drafter {
 public:
  virtual ~Drafter() = default;

  // At most `most` guesses at what follows `tokens`, the whole sequence so far; fewer or none when
  // there is nothing to go by. With 0 it only reads the sequence, as after a long prompt. Sequences
  // of successive calls usually continue each other; a drafter must cope with any. Errors: those of
  // running a draft model.
  virtual Result<GuessedDraft> Propose(std::span<const int32_t> tokens, int64_t most) = 0;

  // True when guessing costs next to nothing, so that guesses may be made just to see whether they
  // come true.
  virtual bool IsFree() const = 0;
};

// Prompt lookup: the last tokens of the sequence are searched for in the sequence itself, and what
// followed them there is the guess (Saxena, "Prompt Lookup Decoding", 2023). Good at text that
// repeats its prompt: code edits, summaries, lists. The longest n-gram and its latest occurrence
// win.
class LookupDrafter final : public Drafter {
 public:
  static constexpr int64_t kLongestNgram = 16;

  // Looks for n-grams of `max_n` down to `min_n` tokens, 1 <= min_n <= max_n <= kLongestNgram, in
  // sequences of up to `capacity_tokens`. Allocates everything that Propose needs.
  LookupDrafter(int64_t min_n, int64_t max_n, int64_t capacity_tokens);

  // Never fails. Every token that is new since the last call costs max_n - min_n + 1 table entries.
  Result<GuessedDraft> Propose(std::span<const int32_t> tokens, int64_t most) override;
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

// A small model as drafter. It samples with the same parameters and the same noise, which is keyed
// by seed, position and id (docs/sampling.md): where the two models' distributions are close, they
// draw the same token, at any temperature.
class ModelDrafter final : public Drafter {
 public:
  // `session`: of the small model, same vocabulary, made for this use alone. It may be shorter than
  // the sequence: beyond its capacity there are no drafts.
  ModelDrafter(std::unique_ptr<Session> session, int64_t capacity_tokens);

  Result<GuessedDraft> Propose(std::span<const int32_t> tokens, int64_t most) override;
  bool IsFree() const override { return false; }

 private:
  std::unique_ptr<Session> session_;
  const int64_t capacity_tokens_;
  std::vector<int32_t> draft_;
};

}  // namespace headway
