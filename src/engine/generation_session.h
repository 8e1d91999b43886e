#pragma once

// Where the tokens of one generation come from: a session, decoding plainly or with drafts, as the
// request says.

#include <memory>
#include <optional>
#include <span>

#include "engine/open.h"
#include "engine/session.h"
#include "engine/speculator.h"
#include "headway/engine.h"

namespace headway {

// What a request says about its session; with a grammar, but without the trie that it needs. Errors:
// kInvalidInput (the certificate, the grammar), kUnsupported.
Result<SessionOptions> SessionOptionsOf(const OpenedModel& model, const GenerateOptions& options,
                                        int64_t capacity_tokens);

// Errors: kInvalidInput, unless steps that take up to `max_drafts` drafts can do what is asked.
Result<void> CheckSpeculation(const SpeculationParams& params, int64_t max_drafts);

class GenerationSession {
 public:
  // Sequences of up to `capacity_tokens`. `model` must outlive the source. Errors: kInvalidInput
  // (sampling and speculation parameters), kIo (no memory for the cache).
  static Result<GenerationSession> Create(const OpenedModel& model, const GenerateOptions& options,
                                          int64_t capacity_tokens);

  // Runs the layers for the prompt. Errors: those of Session::Append.
  Result<void> Append(std::span<const int32_t> prompt);

  // 1 to `most` further tokens, valid until the next call. Errors: those of Session::Decode and of
  // the draft model's session.
  Result<std::span<const sampling::Sampler::Choice>> Next(int64_t most);

  // The evidence of the last tokens, one each, with a certified head; else empty.
  std::span<const Certificate> Certificates() const { return session_->Certificates(); }
  // True when a grammar's text is complete and no token may say so.
  bool IsOver() const { return session_->GrammarIsOver(); }
  // See Sequence.
  bool TextIsComplete() const { return session_->TextIsComplete(); }
  bool TextIsFinal() const { return session_->TextIsFinal(); }
  std::optional<int64_t> TokensOfShortestText() { return session_->TokensOfShortestText(); }

  Counters TakeCounters();

 private:
  explicit GenerationSession(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  std::unique_ptr<Session> session_;
  std::unique_ptr<Speculator> speculator_;   // null: plain
  std::unique_ptr<SpeculationProbe> probe_;  // null: none
};

}  // namespace headway
