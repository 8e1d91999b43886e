// Models, cancel flags, perplexity.

#include <fmt/format.h>

#include <utility>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"
#include "gates/text_evaluation.h"
#include "pack/open_model.h"

namespace headway::c_api {
namespace {

Result<LoadWeights> LoadOf(int32_t load) {
  switch (load) {
    case HEADWAY_LOAD_AUTO:
      return LoadWeights::kAuto;
    case HEADWAY_LOAD_MAP:
      return LoadWeights::kMap;
    case HEADWAY_LOAD_COPY:
      return LoadWeights::kCopy;
    default:
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("load: expected a HEADWAY_LOAD_... constant, found {}", load));
  }
}

Result<EngineOptions> ReadOpenOptions(const headway_open_options* options_or_null) {
  HW_TRY(const headway_open_options given, ReadStruct(options_or_null, "open options"));
  EngineOptions options;
  options.threads = given.threads;
  options.instruction_set = TextOrEmpty(given.instruction_set);
  options.topology = TextOrEmpty(given.topology);
  options.head = TextOrEmpty(given.head);
  options.usage_text = TextOrEmpty(given.usage_text);
  options.cache_directory = TextOrEmpty(given.cache_directory);
  options.draft_model = TextOrEmpty(given.draft_model);
  HW_TRY(options.load, LoadOf(given.load));
  options.verify_contents = given.verify_contents != 0;
  options.show_progress = given.show_progress != 0;
  options.compute_units = TextOrEmpty(given.compute_units);
  options.progress = ProgressOf(given.progress, given.user);
  return options;
}

headway_summary SummaryOf(const OpenedModel& model) {
  const ModelSummary& summary = model.summary;
  const tokenizer::Vocabulary& vocabulary = model.tokenizer->vocabulary();
  headway_summary out{};
  out.name = summary.name.c_str();
  out.architecture = summary.architecture.c_str();
  out.package_directory = summary.package_directory.c_str();
  out.device = summary.device.c_str();
  out.instruction_set = summary.instruction_set.c_str();
  out.head = summary.head.c_str();
  out.head_choice = summary.head_choice.c_str();
  out.topology = summary.topology.c_str();
  out.chat_format = summary.chat_format.c_str();
  out.context_tokens = summary.context_tokens;
  out.vocab_size = summary.vocab_size;
  out.hidden_size = model.pipeline->model().hidden_size;
  out.weight_bytes_per_token = summary.weight_bytes_per_token;
  for (const auto& shard : model.pipeline->Head().shards) out.head_bytes += shard->WeightBytes();
  out.max_rows = model.executor->MaxRows();
  out.threads = summary.threads;
  out.bos_token = vocabulary.bos_id.value_or(-1);
  out.eos_token = vocabulary.eos_id.value_or(-1);
  out.has_logits = model.executor->CheckHasLogits("logits") ? 1 : 0;
  out.chat_template = vocabulary.chat_template.c_str();
  out.max_position_embeddings = model.pipeline->model().max_position_embeddings;
  out.is_interpreted = summary.is_interpreted ? 1 : 0;
  return out;
}

}  // namespace
}  // namespace headway::c_api

using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_cancel_new(headway_cancel** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(out, "cancel flag's place"));
    *out = new headway_cancel{.flag = std::make_shared<std::atomic<bool>>(false)};
    return HEADWAY_OK;
  });
}

headway_status headway_cancel_set(headway_cancel* cancel, int32_t is_set) {
  if (cancel == nullptr) return HEADWAY_INVALID_INPUT;  // no text: a signal handler allocates none
  cancel->flag->store(is_set != 0, std::memory_order_relaxed);
  return HEADWAY_OK;
}

void headway_cancel_free(headway_cancel* cancel) { delete cancel; }

headway_status headway_open(const char* path, const headway_open_options* options,
                            headway_engine** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(path, "path"));
    HW_TRY_VOID(CheckGiven(out, "engine's place"));
    HW_TRY(headway::EngineOptions engine_options, ReadOpenOptions(options));
    const auto flag = FlagOf(options == nullptr ? nullptr : options->cancel);
    engine_options.cancelled_or_null = flag.get();
    HW_TRY(auto model, headway::pack::OpenModel(path, engine_options));
    auto shared = std::make_shared<SharedModel>(SharedModel{.model = std::move(model)});
    *out = new headway_engine{.shared = std::move(shared)};
    return HEADWAY_OK;
  });
}

void headway_close(headway_engine* engine) { delete engine; }

headway_status headway_describe(const headway_engine* engine, headway_summary* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    return WriteStruct(SummaryOf(*shared->model), out, "summary");
  });
}

headway_status headway_perplexity(headway_engine* engine, const char* text, size_t num_bytes,
                                  const headway_perplexity_options* options,
                                  headway_perplexity_result* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY(const std::string_view given, ReadText(text, num_bytes, "text"));
    HW_TRY(const headway_perplexity_options asked, ReadStruct(options, "perplexity options"));
    HW_TRY(const headway::KvType kv, KvOf(asked.kv));
    HW_TRY_VOID(WriteStruct(headway_perplexity_result{}, out, "perplexity result"));
    headway::gates::PerplexityOptions perplexity;
    if (asked.window_tokens != 0) perplexity.window_tokens = asked.window_tokens;
    perplexity.max_windows = asked.max_windows;
    HW_TRY_VOID(CheckIntegrity(*shared->model, true));
    HW_TRY(const auto lock, LockModel(*shared));
    HW_TRY(const auto report,
           headway::gates::PerplexityOfText(*shared->model, given, perplexity, kv));
    headway_perplexity_result result{};
    result.perplexity = report.perplexity;
    result.standard_error = report.standard_error;
    result.windows = report.windows;
    result.scored_tokens = report.scored_tokens;
    result.text_tokens = report.text_tokens;
    return WriteStruct(result, out, "perplexity result");
  });
}
