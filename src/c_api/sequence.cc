// Sequences: prompts, and what they know of themselves.

#include "engine/sequence.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"
#include "engine/generation_session.h"
#include "engine/text_trie.h"
#include "grammar/compile.h"

namespace headway::c_api {
namespace {

Result<std::unique_ptr<RowDrafts>> DraftsOf(const std::shared_ptr<SharedModel>& shared,
                                            const SpeculationParams& params,
                                            const Sequence& sequence) {
  if (params.kind == Speculate::kOff) return std::unique_ptr<RowDrafts>();
  if (params.kind == Speculate::kDraftModel) {
    return Fail(ErrorCode::kUnsupported,
                "speculate: a sequence's steps guess by lookup; expected headway_generate() for a "
                "draft model");
  }
  if (params.most_drafts < 1 || params.most_drafts > sequence.MaxDrafts()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("drafts: expected 1 to {}, found {}",
                                                      sequence.MaxDrafts(), params.most_drafts));
  }
  // The sequence has the model for as long as its drafts.
  const tokenizer::Tokenizer* const tokenizer = shared->model->tokenizer.get();
  return std::make_unique<RowDrafts>(
      sequence.Capacity(), params.most_drafts,
      [tokenizer](int32_t id) { return tokenizer->IsEndOfGeneration(id); });
}

Result<std::unique_ptr<headway_sequence>> NewSequence(
    std::shared_ptr<SharedModel> shared, const headway_sequence_options* options_or_null) {
  HW_TRY(const SequenceRequest request, ReadSequenceOptions(options_or_null));
  OpenedModel& model = *shared->model;
  const int64_t capacity =
      request.capacity_tokens == 0 ? model.summary.context_tokens : request.capacity_tokens;
  HW_TRY(SessionOptions options, SessionOptionsOf(model, request.options, capacity));
  auto flag = FlagOf(options_or_null == nullptr ? nullptr : options_or_null->cancel);
  options.cancelled_or_null = flag.get();
  if (const headway_grammar* const compiled = request.compiled_or_null; compiled != nullptr) {
    options.grammar = compiled->automaton;
    options.finish_within_capacity =
        request.options.finish_within_budget.value_or(compiled->is_schema);
  }
  HW_TRY_VOID(CheckIntegrity(model, true));  // before the first token
  HW_TRY(const auto lock, LockModel(*shared));
  if (options.grammar != nullptr) {
    if (shared->trie == nullptr) shared->trie = NewTextTrie(*model.tokenizer);
    options.trie = shared->trie;
  }
  HW_TRY(auto sequence, model.executor->NewSequence(std::move(options)));
  HW_TRY(auto drafts, DraftsOf(shared, request.options.speculation, *sequence));
  auto handle = std::make_unique<headway_sequence>();
  handle->shared = std::move(shared);
  handle->flag = std::move(flag);
  handle->sequence = std::move(sequence);
  handle->drafts = std::move(drafts);
  return handle;
}

// Appends, and has the layers see it.
Result<headway_status> Append(headway_sequence* handle, std::span<const int32_t> ids,
                              const headway_sink& sink) {
  Sequence& sequence = *handle->sequence;
  Executor& executor = *handle->shared->model->executor;
  const bool tells = sink.logits != nullptr || sink.hidden != nullptr;
  if (sink.logits != nullptr) HW_TRY_VOID(executor.CheckHasLogits("no sink of logits"));
  HW_TRY_VOID(sequence.CheckAppend(ids));
  if (ids.empty()) return HEADWAY_OK;
  const uint64_t start = NowNs();
  const int64_t length = sequence.Length() + static_cast<int64_t>(ids.size());
  const CallbackMark mark;
  // What is pending belongs to the longer sequence, and nobody asked for it.
  if (tells) HW_TRY_VOID(executor.Read(&sequence, length, nullptr));
  sequence.AddPrompt(ids);
  const Executor::LogitsSink logits = [&](int64_t position, std::span<const float> row) {
    sink.logits(sink.user, position, row.data(), row.size());
  };
  const auto D = static_cast<size_t>(handle->shared->model->pipeline->model().hidden_size);
  const Executor::StatesSink states = [&](int64_t first, std::span<const float> of_positions) {
    sink.hidden(sink.user, first, of_positions.data(), of_positions.size() / D, D);
  };
  HW_TRY_VOID(executor.Read(&sequence, length, sink.logits == nullptr ? nullptr : &logits,
                            sink.hidden == nullptr ? nullptr : &states));
  sequence.CountPrefill(NowNs() - start, ids.size());
  return HEADWAY_OK;
}

Result<headway_status> AppendLocked(headway_sequence* sequence, const int32_t* ids, size_t num_ids,
                                    const headway_sink& sink) {
  HW_TRY_VOID(CheckGiven(sequence, "sequence"));
  HW_TRY(const auto given, ReadIds(ids, num_ids, "ids"));
  HW_TRY(const auto lock, LockModel(*sequence->shared));
  return Append(sequence, given, sink);
}

}  // namespace
}  // namespace headway::c_api

using headway::ErrorCode;
using headway::Fail;
using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_grammar_new(const char* gbnf, const char* json_schema,
                                   headway_grammar** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(out, "grammar's place"));
    const std::string grammar = TextOrEmpty(gbnf);
    const std::string schema = TextOrEmpty(json_schema);
    if (grammar.empty() == schema.empty())
      return Fail(ErrorCode::kInvalidInput, "grammar: expected one of gbnf and json_schema");
    HW_TRY(auto automaton, grammar.empty() ? headway::grammar::CompileJsonSchema(schema)
                                           : headway::grammar::CompileGbnf(grammar));
    *out = new headway_grammar{.automaton = std::move(automaton), .is_schema = grammar.empty()};
    return HEADWAY_OK;
  });
}

void headway_grammar_free(headway_grammar* grammar) { delete grammar; }

headway_status headway_sequence_new(headway_engine* engine, const headway_sequence_options* options,
                                    headway_sequence** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckGiven(out, "sequence's place"));
    HW_TRY(auto handle, NewSequence(std::move(shared), options));
    *out = handle.release();
    return HEADWAY_OK;
  });
}

void headway_sequence_free(headway_sequence* sequence) { delete sequence; }

headway_status headway_sequence_append(headway_sequence* sequence, const int32_t* ids,
                                       size_t num_ids) {
  return Call([&] { return AppendLocked(sequence, ids, num_ids, headway_sink{}); });
}

headway_status headway_sequence_append_with(headway_sequence* sequence, const int32_t* ids,
                                            size_t num_ids, const headway_sink* sink) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sink, "sink"));
    HW_TRY(const headway_sink given, ReadStruct(sink, "sink"));
    if (given.logits == nullptr && given.hidden == nullptr)
      return Fail(ErrorCode::kInvalidInput, "sink: expected a function, found none");
    return AppendLocked(sequence, ids, num_ids, given);
  });
}

headway_status headway_sequence_append_unread(headway_sequence* sequence, const int32_t* ids,
                                              size_t num_ids) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto given, ReadIds(ids, num_ids, "ids"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    HW_TRY_VOID(sequence->sequence->CheckAppend(given));
    if (!given.empty()) sequence->sequence->AddPrompt(given);
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_truncate(headway_sequence* sequence, int64_t num_tokens) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const int64_t length = sequence->sequence->Length();
    if (num_tokens < 0 || num_tokens > length) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("truncate: expected 0 to {} tokens, found {}", length, num_tokens));
    }
    sequence->sequence->Truncate(num_tokens);
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_forget(headway_sequence* sequence) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    sequence->sequence->ForgetCache();
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_share(headway_sequence* sequence, const headway_sequence* other,
                                      int64_t num_tokens, int64_t* shared) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY_VOID(CheckGiven(other, "other sequence"));
    HW_TRY_VOID(CheckGiven(shared, "number's place"));
    if (sequence->shared != other->shared)
      return Fail(ErrorCode::kInvalidInput, "share: expected two sequences of one engine");
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    if (sequence->sequence->Length() > 0) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("share: expected a sequence without tokens, found {}",
                              sequence->sequence->Length()));
    }
    if (num_tokens < 0) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("share: expected 0 tokens or more, found {}", num_tokens));
    }
    *shared = sequence->sequence->ShareFrom(*other->sequence, num_tokens);
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_describe(const headway_sequence* sequence,
                                         headway_sequence_state* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const headway::Sequence& own = *sequence->sequence;
    headway_sequence_state state{};
    state.num_tokens = own.Length();
    state.num_pending = own.NumPending();
    state.capacity_tokens = own.Capacity();
    state.num_choices = static_cast<int64_t>(own.Choices().size());
    state.has_certificates = own.Certificates().empty() ? 0 : 1;
    state.is_over = own.GrammarIsOver() ? 1 : 0;
    state.is_complete = own.TextIsComplete() ? 1 : 0;
    state.is_final = own.TextIsFinal() ? 1 : 0;
    return WriteStruct(state, out, "sequence state");
  });
}

headway_status headway_sequence_tokens(const headway_sequence* sequence, int32_t* ids,
                                       size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    return WriteList(sequence->sequence->Tokens(), ids, capacity, count);
  });
}

headway_status headway_sequence_counters(const headway_sequence* sequence, headway_counters* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    return WriteStruct(CountersOf(sequence->sequence->GetCounters()), out, "counters");
  });
}

headway_status headway_sequence_times(const headway_sequence* sequence, int32_t which, uint64_t* ns,
                                      size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const headway::Counters& counters = sequence->sequence->GetCounters();
    const std::vector<uint64_t>* list = nullptr;
    if (which == HEADWAY_LAYER_SHARD_NS) list = &counters.layer_shard_ns;
    if (which == HEADWAY_HEAD_SHARD_NS) list = &counters.head_shard_ns;
    if (which == HEADWAY_STEP_NS) list = &counters.step_samples_ns;
    if (list == nullptr) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("times: expected a HEADWAY_..._NS constant, found {}", which));
    }
    return WriteList(std::span<const uint64_t>(*list), ns, capacity, count);
  });
}
