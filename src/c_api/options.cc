#include "c_api/options.h"

#include <fmt/format.h>

#include <optional>

#include "c_api/calls.h"
#include "c_api/handles.h"

namespace headway::c_api {
namespace {

Result<SamplingParams> ReadSampling(const headway_sampling* sampling_or_null) {
  HW_TRY(const headway_sampling given, ReadStruct(sampling_or_null, "sampling"));
  SamplingParams params;
  params.temperature = given.temperature;
  params.top_k = given.top_k;
  if (given.top_p != 0.0F) params.top_p = given.top_p;
  params.min_p = given.min_p;
  if (given.repeat_penalty != 0.0F) params.repeat_penalty = given.repeat_penalty;
  if (given.repeat_last_n != 0) params.repeat_last_n = given.repeat_last_n;
  params.presence_penalty = given.presence_penalty;
  params.frequency_penalty = given.frequency_penalty;
  params.seed = given.seed;
  HW_TRY(const auto bias_ids, ReadIds(given.bias_ids, given.num_biases, "sampling: bias_ids"));
  if (!bias_ids.empty()) HW_TRY_VOID(CheckGiven(given.biases, "sampling: biases"));
  for (size_t i = 0; i < bias_ids.size(); ++i)
    params.logit_bias.emplace_back(bias_ids[i], given.biases[i]);
  HW_TRY(const auto allowed, ReadIds(given.allow_ids, given.num_allow_ids, "sampling: allow_ids"));
  params.allow_ids.assign(allowed.begin(), allowed.end());
  return params;
}

Result<Speculate> SpeculateOf(int32_t speculate) {
  switch (speculate) {
    case HEADWAY_SPECULATE_OFF:
      return Speculate::kOff;
    case HEADWAY_SPECULATE_LOOKUP:
      return Speculate::kLookup;
    case HEADWAY_SPECULATE_DRAFT_MODEL:
      return Speculate::kDraftModel;
    default:
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("speculate: expected a HEADWAY_SPECULATE_... constant, found {}", speculate));
  }
}

Result<std::optional<bool>> FinishOf(int32_t finish) {
  if (finish == HEADWAY_FINISH_WITH_SCHEMA) return std::nullopt;
  if (finish == HEADWAY_FINISH_ALWAYS || finish == HEADWAY_FINISH_NEVER)
    return finish == HEADWAY_FINISH_ALWAYS;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("finish: expected a HEADWAY_FINISH_... constant, found {}", finish));
}

SpeculationParams SpeculationOf(const headway_sequence_options& given, Speculate kind) {
  SpeculationParams params{.kind = kind, .probe_lookup = given.probe_lookup != 0};
  if (given.min_ngram != 0) params.min_ngram = given.min_ngram;
  if (given.max_ngram != 0) params.max_ngram = given.max_ngram;
  if (given.most_drafts != 0) params.most_drafts = given.most_drafts;
  params.adapt = given.no_adapt == 0;
  return params;
}

}  // namespace

Result<JsonWhitespace> WhitespaceOf(int32_t white_space) {
  if (white_space == HEADWAY_JSON_WHITESPACE_CANONICAL) return JsonWhitespace::kCanonical;
  if (white_space == HEADWAY_JSON_WHITESPACE_FREE) return JsonWhitespace::kFree;
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("json_whitespace: expected a HEADWAY_JSON_WHITESPACE_... constant, found {}",
                  white_space));
}

Result<std::vector<std::string>> ReadStops(const char* const* stops, size_t num_stops) {
  if (num_stops > 0) HW_TRY_VOID(CheckGiven(stops, "stops"));
  std::vector<std::string> texts;
  for (size_t i = 0; i < num_stops; ++i) {
    texts.push_back(TextOrEmpty(stops[i]));
    if (texts.back().empty())
      return Fail(ErrorCode::kInvalidInput, "stops: expected texts, found an empty one");
  }
  return texts;
}

Result<KvType> KvOf(int32_t kv) {
  if (kv == HEADWAY_KV_F16) return KvType::kF16;
  if (kv == HEADWAY_KV_Q8_0) return KvType::kQ8_0;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("kv: expected a HEADWAY_KV_... constant, found {}", kv));
}

Result<SequenceRequest> ReadSequenceOptions(const headway_sequence_options* options_or_null) {
  HW_TRY(const headway_sequence_options given, ReadStruct(options_or_null, "sequence options"));
  SequenceRequest request;
  GenerateOptions& options = request.options;
  HW_TRY(options.sampling, ReadSampling(given.sampling));
  HW_TRY(options.kv, KvOf(given.kv));
  HW_TRY(const Speculate kind, SpeculateOf(given.speculate));
  options.speculation = SpeculationOf(given, kind);
  options.certificate = TextOrEmpty(given.certificate);
  options.audit_every = given.audit_every;
  options.grammar = TextOrEmpty(given.grammar);
  options.json_schema = TextOrEmpty(given.json_schema);
  HW_TRY(options.json_whitespace, WhitespaceOf(given.json_whitespace));
  options.want_logprobs = given.want_logprobs != 0;
  HW_TRY(options.finish_within_budget, FinishOf(given.finish));
  options.progress = ProgressOf(given.progress, given.user);
  request.capacity_tokens = given.capacity_tokens;
  request.compiled_or_null = given.compiled;
  if (given.compiled != nullptr && !(options.grammar.empty() && options.json_schema.empty())) {
    return Fail(ErrorCode::kInvalidInput,
                "compiled: expected no grammar and no json_schema beside it, found one");
  }
  return request;
}

}  // namespace headway::c_api
