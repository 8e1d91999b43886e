#pragma once

// Decoding with drafts: asks a drafter for as many guesses as pay, lets the session verify them,
// and counts. The tokens are those of plain decoding whatever the drafter says.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/draft_length.h"
#include "engine/drafter.h"
#include "engine/session.h"
#include "headway/counters.h"

namespace headway {

struct SpeculatorOptions {
  int64_t most_drafts = 7;  // a step; at most Session::MaxDrafts()
  // False: always as many drafts as there are. True: as many as pay (DraftLength).
  bool adapt = true;
  // Drafting stops before a token for which this is true: such a token ends a text, so that it may
  // only be the last choice of a step. Null: no token ends a text.
  std::function<bool(int32_t id)> is_end = nullptr;
};

// Enters a draft that lookup found by an n-gram of `n` tokens; 0: it did not find one.
void CountNgram(SpeculationCounters* counters, int64_t n, int64_t drafted, int64_t accepted);

// Follows a guess as the tokens arrive, without acting on it.
class GuessedTokens {
 public:
  bool Active() const { return next_ < tokens_.size(); }
  void Start(const GuessedDraft& draft);
  // The next token of the sequence; the guess ends with the first one that is wrong.
  void Follow(int32_t token);
  int64_t Right() const { return right_; }
  bool Failed() const { return failed_; }
  int64_t Size() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t Ngram() const { return ngram_; }

 private:
  std::vector<int32_t> tokens_;
  size_t next_ = 0;
  int64_t right_ = 0;
  bool failed_ = false;
  int64_t ngram_ = 0;
};

class Speculator {
 public:
  Speculator(std::unique_ptr<Drafter> drafter, SpeculatorOptions options);

  // Lets the drafter see a prompt before the first step, so that its reading is not part of one.
  Result<void> ReadPrompt(std::span<const int32_t> tokens);

  // One step of `session`: 1 to `most_tokens` (at least 1) tokens, appended to it. Always the same
  // session. Errors: those of Session::DecodeWithDrafts and the drafter.
  Result<std::span<const sampling::Sampler::Choice>> Step(Session* session, int64_t most_tokens);

  // Adds what only the drafting side knows to a session's counters.
  void AddTo(SpeculationCounters* counters) const;

 private:
  Result<GuessedDraft> Propose(const Session& session, int64_t most);

  std::unique_ptr<Drafter> drafter_;
  const SpeculatorOptions options_;
  DraftLength length_;
  GuessedTokens guess_;
  SpeculationCounters counters_;  // draft_ns and by_ngram only
};

// What speculation would have given, while decoding plainly: a pass starts with a guess of a fixed
// length and ends with the first token that it got wrong, or the one after it.
class SpeculationProbe {
 public:
  SpeculationProbe(std::unique_ptr<Drafter> drafter, int64_t most_drafts);

  // `tokens`: the sequence; its last one was just chosen.
  Result<void> Follow(std::span<const int32_t> tokens);

  // `tokens` do not go on from what was followed last: the pass that they cut short is left out.
  void Restart() { in_pass_ = false; }

  const SpeculationCounters& Counts() const { return counters_; }

 private:
  void EndPass();

  std::unique_ptr<Drafter> drafter_;
  const int64_t most_drafts_;
  GuessedTokens guess_;
  bool in_pass_ = false;
  SpeculationCounters counters_;
};

}  // namespace headway
