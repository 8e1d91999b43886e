#include "engine/generation_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/drafter.h"
#include "engine/text_trie.h"
#include "grammar/compile.h"

namespace headway {
namespace {

// The KV cache is the one allocation that a request can make too large for the machine.
Result<std::unique_ptr<Session>> NewSession(std::shared_ptr<Executor> executor,
                                            SessionOptions options) {
  const int64_t capacity_tokens = options.capacity_tokens;
  try {
    return Session::Create(std::move(executor), std::move(options));
  } catch (const std::bad_alloc&) {
    return Fail(
        ErrorCode::kIo,
        fmt::format("sequence: not enough memory for the cache of {} tokens (prompt and new "
                    "ones); ask for fewer",
                    capacity_tokens));
  }
}

Result<CertifiedOptions> ReadCertified(const GenerateOptions& options, const OpenedModel& model) {
  CertifiedOptions certified{.mode = {}, .audit_every = options.audit_every};
  if (options.audit_every < 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("audit: expected 0 (never) or a count, found {}", options.audit_every));
  }
  if (!options.certificate.empty()) {
    HW_TRY(certified.mode, lmhead::ParseCertificateMode(options.certificate));
  }
  const bool asked = !options.certificate.empty() || options.audit_every > 0;
  if (!asked || model.pipeline->Head().planes) return certified;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("certificate: expected a certified head, found {}; name one with --head "
                          "certified",
                          model.pipeline->Head().kind));
}

std::unique_ptr<Drafter> NewLookup(const SpeculationParams& params, int64_t capacity_tokens) {
  return std::make_unique<LookupDrafter>(params.min_ngram, params.max_ngram, capacity_tokens);
}

Result<std::unique_ptr<Drafter>> NewDrafter(const OpenedModel& model,
                                            const GenerateOptions& options,
                                            int64_t capacity_tokens) {
  if (options.speculation.kind == Speculate::kLookup)
    return NewLookup(options.speculation, capacity_tokens);
  if (!model.draft) {
    return Fail(ErrorCode::kInvalidInput,
                "speculation: expected a draft model, opened with the model, found none");
  }
  const int64_t capacity =
      std::min(capacity_tokens, model.draft->pipeline->model().max_position_embeddings);
  HW_TRY(auto session,
         NewSession(model.draft->executor, {.capacity_tokens = capacity,
                                            .sampling = options.sampling,
                                            .want_logprobs = false,
                                            .progress = nullptr,
                                            .cancelled_or_null = options.cancelled_or_null}));
  return std::unique_ptr<Drafter>(std::make_unique<ModelDrafter>(std::move(session), capacity));
}

Result<std::shared_ptr<const grammar::Automaton>> CompileGrammar(const GenerateOptions& options) {
  if (!options.grammar.empty() && !options.json_schema.empty())
    return Fail(ErrorCode::kInvalidInput, "expected a grammar or a JSON schema, found both");
  if (!options.stop_at_end) {
    return Fail(ErrorCode::kInvalidInput,
                "grammar: expected a generation that stops at the end of the text");
  }
  if (!options.grammar.empty()) return grammar::CompileGbnf(options.grammar);
  return grammar::CompileJsonSchema(
      options.json_schema, {.free_white_space = options.json_whitespace == JsonWhitespace::kFree});
}

}  // namespace

Result<void> CheckSpeculation(const SpeculationParams& params, int64_t max_drafts) {
  if (params.kind == Speculate::kOff && !params.probe_lookup) return {};
  if (params.kind != Speculate::kOff && params.probe_lookup) {
    return Fail(ErrorCode::kInvalidInput,
                "speculation: expected probe_lookup without speculation, found both");
  }
  if (params.min_ngram < 1 || params.min_ngram > params.max_ngram ||
      params.max_ngram > LookupDrafter::kLongestNgram) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("speculation: lookup: expected 1 <= min <= max <= {}, found {}..{}",
                            LookupDrafter::kLongestNgram, params.min_ngram, params.max_ngram));
  }
  if (params.most_drafts < 1 || params.most_drafts > max_drafts) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("speculation: drafts: expected 1 to {} (a step takes {} tokens), found {}",
                    max_drafts, max_drafts + 1, params.most_drafts));
  }
  return {};
}

Result<SessionOptions> SessionOptionsOf(const OpenedModel& model, const GenerateOptions& options,
                                        int64_t capacity_tokens) {
  HW_TRY(const CertifiedOptions certified, ReadCertified(options, model));
  SessionOptions session_options{.capacity_tokens = capacity_tokens,
                                 .kv = options.kv,
                                 .sampling = options.sampling,
                                 .want_logprobs = options.want_logprobs,
                                 .certified = certified,
                                 .progress = options.progress,
                                 .cancelled_or_null = options.cancelled_or_null};
  if (options.json_whitespace != JsonWhitespace::kCanonical && options.json_schema.empty())
    return Fail(ErrorCode::kInvalidInput,
                "json_whitespace: expected a JSON schema beside free, found none");
  if (!options.grammar.empty() || !options.json_schema.empty()) {
    HW_TRY(session_options.grammar, CompileGrammar(options));
    session_options.finish_within_capacity =
        options.finish_within_budget.value_or(!options.json_schema.empty());
  }
  return session_options;
}

Result<GenerationSession> GenerationSession::Create(const OpenedModel& model,
                                                    const GenerateOptions& options,
                                                    int64_t capacity_tokens) {
  HW_TRY(SessionOptions session_options, SessionOptionsOf(model, options, capacity_tokens));
  if (session_options.grammar != nullptr) session_options.trie = NewTextTrie(*model.tokenizer);
  HW_TRY(auto session, NewSession(model.executor, std::move(session_options)));
  GenerationSession source(std::move(session));
  const SpeculationParams& params = options.speculation;
  HW_TRY_VOID(CheckSpeculation(params, source.session_->MaxDrafts()));
  if (params.probe_lookup) {
    source.probe_ =
        std::make_unique<SpeculationProbe>(NewLookup(params, capacity_tokens), params.most_drafts);
  }
  if (params.kind == Speculate::kOff) return source;
  HW_TRY(auto drafter, NewDrafter(model, options, capacity_tokens));
  SpeculatorOptions speculator{.most_drafts = params.most_drafts, .adapt = params.adapt};
  if (options.stop_at_end) {
    speculator.is_end = [&model](int32_t id) { return model.tokenizer->IsEndOfGeneration(id); };
  }
  source.speculator_ = std::make_unique<Speculator>(std::move(drafter), std::move(speculator));
  return source;
}

Result<void> GenerationSession::Append(std::span<const int32_t> prompt) {
  HW_TRY_VOID(session_->Append(prompt));
  if (speculator_ != nullptr) HW_TRY_VOID(speculator_->ReadPrompt(session_->Tokens()));
  return {};
}

Result<std::span<const sampling::Sampler::Choice>> GenerationSession::Next(int64_t most) {
  if (speculator_ != nullptr) return speculator_->Step(session_.get(), most);
  HW_TRY(const auto choices, session_->DecodeWithDrafts({}));
  if (probe_ != nullptr) HW_TRY_VOID(probe_->Follow(session_->Tokens()));
  return choices;
}

Counters GenerationSession::TakeCounters() {
  Counters counters = session_->GetCounters();
  counters.logits_hash = session_->LastLogitsHash();
  if (speculator_ != nullptr) speculator_->AddTo(&counters.speculation);
  if (probe_ != nullptr) counters.probe = probe_->Counts();
  return counters;
}

}  // namespace headway
