#pragma once

// The LM head of a session: hidden states in, tokens out. A session does not know which kind it
// has; MakeHead() (make_head.h) does.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "grammar/token_grammar.h"
#include "headway/certificate.h"
#include "headway/counters.h"
#include "sampling/sampler.h"

namespace headway {

// What a step asks of its head. Everything it points to stays valid until the step's last call.
struct HeadStep {
  const float* hidden = nullptr;  // [num_states, D], before the head's norm
  int64_t num_states = 1;         // at most MaxStates()
  int64_t first_position = 0;     // of the token that state 0 chooses; the others follow
  bool want_logprobs = false;     // choices come with their log-probability
  std::byte* scratch = nullptr;   // ScratchBytes()
  // The tokens that may be chosen from each state; empty: all.
  std::span<const grammar::TokenMask* const> masks = {};
};

class Head {
 public:
  virtual ~Head() = default;

  // Computes what the choices of a step have in common. States after the first may be anything
  // (drafts). Errors: kCorrupt, when logits of the first are not finite.
  virtual Result<void> Begin(const HeadStep& step, Counters* counters) = 0;

  // Whether state `state`, after the first, is one to choose from: it is finite and so are the
  // logits known of it.
  virtual bool IsUsable(int64_t state) const = 0;

  // The token from state `state`, by the session's sampler. `history`: the tokens before it.
  // Errors: kCorrupt (logits that are not finite), kGateFailed (an audit found a difference, with a
  // report).
  virtual Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                                   Counters* counters) = 0;

  // The logits [num_states, V] of all tokens, without choosing; valid until the next call. Requires
  // HasLogits() to mean anything. Errors: kCorrupt, when those of any state are not finite.
  virtual Result<std::span<float>> Logits(const HeadStep& step, Counters* counters) = 0;

  // Whether logits exist for every token. Without them decoding must be plain greedy
  // (IsPlainGreedy).
  virtual bool HasLogits() const = 0;

  // The evidence of the last choice; null: a kind that has none to give.
  virtual const Certificate* LastCertificate() const { return nullptr; }

  virtual int64_t MaxStates() const = 0;
  virtual int64_t ScratchBytes() const = 0;
};

}  // namespace headway
