#pragma once

// The LM head: hidden states in, tokens out, for states of one conversation or of several. Who asks
// does not know which kind it is; MakeHead() does.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/choice_rules.h"
#include "engine/pipeline.h"
#include "grammar/token_grammar.h"
#include "headway/certificate.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"
#include "sampling/sampler.h"

namespace headway {

// A hidden state from which a token is chosen.
struct HeadState {
  ChoiceRules* rules = nullptr;              // of its conversation
  int64_t position = 0;                      // of the token, in its sequence
  const grammar::TokenMask* mask = nullptr;  // the tokens that may be chosen; null: all
};

// What a pass asks of the head. Everything it points to stays valid until the pass's last call.
struct HeadStep {
  const float* hidden = nullptr;           // [states, D], before the head's norm
  std::span<const HeadState> states = {};  // at most MaxStates()
  int64_t NumStates() const { return static_cast<int64_t>(states.size()); }
};

class Head {
 public:
  virtual ~Head() = default;

  // The most states of a pass that these, a conversation's, may share with other conversations'; 0:
  // their pass is their own. What is chosen is the same either way.
  virtual int64_t SharedStates(std::span<const HeadState> states) = 0;

  // Computes what the choices of a pass have in common. States may be anything (drafts).
  virtual void Begin(const HeadStep& step, Counters* counters) = 0;

  // That the pass could be computed, and the logits known of a state are finite. To be asked before
  // Choose(). Errors: kIo (the device failed), kCorrupt.
  virtual Result<void> CheckState(int64_t state) const = 0;
  // Whether a draft's state is one to choose from: it is finite and so are the logits known of it.
  virtual bool IsUsable(int64_t state) const = 0;

  // The token from state `state`. `history`: the tokens before it, of its conversation. Errors:
  // kCorrupt (logits that are not finite), kGateFailed (an audit found a difference, with a report).
  virtual Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                                   Counters* counters) = 0;

  // The logits [num_states, V] of all tokens from hidden states [num_states, D] at positions from
  // `first_position` on, without choosing; valid until the next call. Requires HasLogits() to mean
  // anything. Errors: kIo; kCorrupt, when those of any state are not finite.
  virtual Result<std::span<float>> Logits(const float* hidden, int64_t num_states,
                                          int64_t first_position, Counters* counters) = 0;

  // Whether logits exist for every token. Without them decoding must be plain greedy
  // (IsPlainGreedy).
  virtual bool HasLogits() const = 0;

  // The evidence of the last choice; null: a kind that has none to give.
  virtual const Certificate* LastCertificate() const { return nullptr; }

  virtual int64_t MaxStates() const = 0;
};

// Makes the head of a package from what it holds. The kind is the pipeline's. All must outlive the head. Errors: those of CertifiedHead::Create.
Result<std::unique_ptr<Head>> MakeHead(Pipeline* pipeline, ThreadPool* pool,
                                       const kernels::KernelSet& kernels);

// The most states of one call of Head::Logits: wide enough to share a reading of the head, narrow
// enough that the logits of a 200,064-token vocabulary take 13 MB.
inline constexpr int64_t kLogitsStates = 16;

}  // namespace headway
