// Whole generations.

#include "engine/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"

namespace headway::c_api {
namespace {

Result<GenerateOptions> ReadGenerateOptions(const headway_generate_options& given,
                                            const SharedModel& shared, size_t num_prompt) {
  HW_TRY(SequenceRequest request, ReadSequenceOptions(given.sequence));
  if (request.capacity_tokens != 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("generate options: capacity_tokens: expected 0 (the prompt and what is "
                            "generated), found {}",
                            request.capacity_tokens));
  }
  if (request.compiled_or_null != nullptr) {
    return Fail(ErrorCode::kInvalidInput,
                "generate options: compiled: expected null (a grammar or a json_schema as a text)");
  }
  HW_TRY(request.options.stop, ReadStops(given.stops, given.num_stops));
  request.options.stop_at_end = given.ignore_end == 0;
  request.options.max_new_tokens = given.max_new_tokens;
  if (given.max_new_tokens == 0) {
    request.options.max_new_tokens = std::max<int64_t>(
        0, shared.model->summary.context_tokens - static_cast<int64_t>(num_prompt));
  }
  return std::move(request.options);
}

int32_t StopReasonOf(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return HEADWAY_STOP_END;
    case StopReason::kMaxTokens:
      return HEADWAY_STOP_MAX_TOKENS;
    case StopReason::kContextFull:
      return HEADWAY_STOP_CONTEXT_FULL;
    case StopReason::kCancelled:
      return HEADWAY_STOP_CANCELLED;
    case StopReason::kStopString:
      return HEADWAY_STOP_STRING;
  }
  return HEADWAY_STOP_MAX_TOKENS;
}

std::function<void(const GeneratedToken&)> ListenerOf(const headway_generate_options& given) {
  if (given.on_token == nullptr) return nullptr;
  return [user = given.user, on_token = given.on_token](const GeneratedToken& token) {
    headway_choice choice{};
    choice.size = sizeof(choice);
    choice.token = token.id;
    choice.logit = token.logit;
    choice.logprob = token.logprob;
    const CallbackMark mark;
    on_token(user, &choice, token.text.data(), token.text.size());
  };
}

}  // namespace
}  // namespace headway::c_api

using headway::ErrorCode;
using headway::Fail;
using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_generate(headway_engine* engine, const int32_t* prompt, size_t num_ids,
                                const headway_generate_options* options, headway_generation** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckGiven(out, "generation's place"));
    HW_TRY(const auto ids, ReadIds(prompt, num_ids, "prompt"));
    HW_TRY(const headway_generate_options given, ReadStruct(options, "generate options"));
    HW_TRY(headway::GenerateOptions asked, ReadGenerateOptions(given, *shared, num_ids));
    const auto flag = FlagOf(given.sequence == nullptr ? nullptr : given.sequence->cancel);
    asked.cancelled_or_null = flag.get();
    // Generating locks the model by itself: this only refuses calls from inside a callback.
    HW_TRY_VOID(CheckOutside());
    HW_TRY(auto made, headway::Generate(shared->model.get(), ids, asked, ListenerOf(given)));
    *out = new headway_generation{.made = std::move(made)};
    return HEADWAY_OK;
  });
}

headway_status headway_generation_describe(const headway_generation* generation,
                                           headway_generated* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(generation, "generation"));
    const headway::Generation& made = generation->made;
    headway_generated generated{};
    generated.ids = made.ids.data();
    generated.num_ids = made.ids.size();
    generated.logprobs = made.logprobs.empty() ? nullptr : made.logprobs.data();
    generated.num_certificates = made.certificates.size();
    generated.text = made.text.c_str();
    generated.num_bytes = made.text.size();
    generated.stop_reason = StopReasonOf(made.stop_reason);
    generated.is_cut = made.is_cut ? 1 : 0;
    generated.tokens_to_complete = made.tokens_to_complete.value_or(0);
    generated.kv = made.kv == headway::KvType::kQ8_0 ? HEADWAY_KV_Q8_0 : HEADWAY_KV_F16;
    return WriteStruct(generated, out, "generated");
  });
}

headway_status headway_generation_certificate(const headway_generation* generation, size_t index,
                                              headway_certificate* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(generation, "generation"));
    const auto& certificates = generation->made.certificates;
    if (index >= certificates.size()) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("certificate {}: expected one of the {} there are", index,
                              certificates.size()));
    }
    return WriteStruct(CertificateOf(certificates[index]), out, "certificate");
  });
}

headway_status headway_generation_counters(const headway_generation* generation,
                                           headway_counters* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(generation, "generation"));
    return WriteStruct(CountersOf(generation->made.counters), out, "counters");
  });
}

headway_status headway_generation_times(const headway_generation* generation, int32_t which,
                                        uint64_t* ns, size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(generation, "generation"));
    HW_TRY(const auto times, TimesOf(generation->made.counters, which));
    return WriteList(times, ns, capacity, count);
  });
}

headway_status headway_generation_ngrams(const headway_generation* generation, int32_t which,
                                         uint64_t* drafts, size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(generation, "generation"));
    const headway::Counters& counters = generation->made.counters;
    HW_TRY(const auto list, NgramsOf(counters.speculation, counters.probe, which));
    return WriteList(list, drafts, capacity, count);
  });
}

void headway_generation_free(headway_generation* generation) { delete generation; }
