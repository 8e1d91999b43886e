// Sequences: prompts, and what they know of themselves.

#include "engine/sequence.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"
#include "engine/drafter.h"
#include "engine/generation_session.h"
#include "engine/text_trie.h"

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
  // The sequence has the model for as long as its drafts.
  const tokenizer::Tokenizer* const tokenizer = shared->model->tokenizer.get();
  return std::make_unique<RowDrafts>(sequence.Capacity(), params, [tokenizer](int32_t id) {
    return tokenizer->IsEndOfGeneration(id);
  });
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
  const bool may_force = options.grammar != nullptr && !options.want_logprobs;
  HW_TRY(auto sequence, model.executor->NewSequence(std::move(options)));
  const SpeculationParams& speculation = request.options.speculation;
  HW_TRY_VOID(CheckSpeculation(speculation, sequence->MaxDrafts()));
  HW_TRY(auto drafts, DraftsOf(shared, speculation, *sequence));
  std::unique_ptr<SpeculationProbe> probe;
  if (speculation.probe_lookup) {
    probe = std::make_unique<SpeculationProbe>(
        std::make_unique<LookupDrafter>(speculation.min_ngram, speculation.max_ngram, capacity),
        speculation.most_drafts);
  }
  auto handle = std::make_unique<headway_sequence>();
  handle->shared = std::move(shared);
  handle->flag = std::move(flag);
  handle->sequence = std::move(sequence);
  handle->drafts = std::move(drafts);
  handle->probe = std::move(probe);
  handle->may_force = may_force;
  return handle;
}

// The tokens will not go on from those that the probe followed.
void RestartProbe(headway_sequence* handle) {
  if (handle->probe != nullptr) handle->probe->Restart();
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
  RestartProbe(handle);
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
    if (given.empty()) return HEADWAY_OK;
    RestartProbe(sequence);
    sequence->sequence->AddPrompt(given);
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
    RestartProbe(sequence);
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
    headway_counters counters = CountersOf(sequence->sequence->GetCounters());
    if (sequence->drafts != nullptr)
      counters.speculation_draft_ns += sequence->drafts->Counts().draft_ns;
    if (sequence->probe != nullptr) AddProbe(sequence->probe->Counts(), &counters);
    return WriteStruct(counters, out, "counters");
  });
}

headway_status headway_sequence_times(const headway_sequence* sequence, int32_t which, uint64_t* ns,
                                      size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    HW_TRY(const auto times, TimesOf(sequence->sequence->GetCounters(), which));
    return WriteList(times, ns, capacity, count);
  });
}

headway_status headway_sequence_ngrams(const headway_sequence* sequence, int32_t which,
                                       uint64_t* drafts, size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const headway::SpeculationCounters none;
    const auto& own = sequence->drafts == nullptr ? none : sequence->drafts->Counts();
    const auto& probe = sequence->probe == nullptr ? none : sequence->probe->Counts();
    HW_TRY(const auto list, NgramsOf(own, probe, which));
    return WriteList(list, drafts, capacity, count);
  });
}
