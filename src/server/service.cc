#include "server/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/platform.h"
#include "engine/text_trie.h"
#include "grammar/compile.h"
#include "sampling/sampling_params.h"
#include "server/generation_settings.h"

namespace headway::server {
namespace {

constexpr size_t kMostCompiled = 64;

Parsed<void> CheckPrompt(const std::vector<int32_t>& prompt, int64_t context) {
  if (prompt.empty())
    return Refuse(BadField("prompt", "prompt: expected at least one token, found none"));
  const auto length = static_cast<int64_t>(prompt.size());
  if (length < context) return {};
  return Refuse(ContextExceeded(length, context));
}

// "a,b" -> a, b
std::vector<std::string> NamesIn(const std::string& list) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// Texts that have a bias become their tokens.
Parsed<SamplingParams> WithTextBiases(const GenerationOptions& options,
                                      const tokenizer::Tokenizer& tokenizer) {
  SamplingParams sampling = options.sampling;
  for (const auto& [text, bias] : options.text_biases) {
    const auto ids = tokenizer.Encode(text, {.add_bos = false, .parse_special = true});
    if (!ids) return Refuse(FromError(ids.error(), "logit_bias"));
    for (const int32_t id : *ids) sampling.logit_bias.emplace_back(id, bias);
  }
  return sampling;
}

}  // namespace

uint64_t RandomNumber() {
  uint64_t number = NowNs();
  static_cast<void>(platform::FillRandom(std::as_writable_bytes(std::span(&number, 1))));
  return number;
}

std::string NewId(const std::string& prefix) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string id = prefix;
  for (int word = 0; word < 3; ++word) {
    uint64_t number = RandomNumber();
    for (int i = 0; i < 8; ++i, number /= kLetters.size()) id += kLetters[number % kLetters.size()];
  }
  return id;
}

int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Service::Service(std::unique_ptr<OpenedModel> model, ServiceOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      aliases_(NamesIn(options_.alias)),
      started_at_(UnixSeconds()) {}

Result<std::unique_ptr<Service>> Service::Start(std::unique_ptr<OpenedModel> model,
                                                ServiceOptions options) {
  if (NamesIn(options.alias).empty()) {
    options.alias = model->summary.name;
    std::replace(options.alias.begin(), options.alias.end(), ',', ' ');
  }
  if (NamesIn(options.alias).empty()) options.alias = "headway";
  const Json least = {{"prompt", ""}};
  if (const auto good = ParseLlamaCompletion(WithDefaults(least, options.defaults)); !good)
    return Fail(ErrorCode::kInvalidInput, "defaults of requests: " + good.error().message);
  if (options.pooling.empty()) options.pooling = "mean";
  if (options.pooling != "mean" && options.pooling != "last" && options.pooling != "none") {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("pooling: expected mean, last or none, found '{}'", options.pooling));
  }
  SchedulerOptions scheduler = options.scheduler;
  const tokenizer::Tokenizer* const tokens = model->tokenizer.get();
  scheduler.is_end = [tokens](int32_t id) { return tokens->IsEndOfGeneration(id); };
  std::unique_ptr<Service> service(new Service(std::move(model), std::move(options)));
  const OpenedModel& opened = *service->model_;
  HW_TRY(service->scheduler_,
         Scheduler::Start(opened.executor, *opened.pipeline, std::move(scheduler)));
  return service;
}

const std::shared_ptr<const grammar::TokenTrie>& Service::Trie() const {
  const std::lock_guard lock(mutex_);
  if (trie_ == nullptr) trie_ = NewTextTrie(Tokens());
  return trie_;
}

Parsed<std::shared_ptr<const grammar::Automaton>> Service::Compile(const TextForm& form) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(compiled_.begin(), compiled_.end(),
                                    [&](const Compiled& one) { return one.form == form; });
    if (found != compiled_.end()) {
      compiled_.splice(compiled_.begin(), compiled_, found);
      return compiled_.front().automaton;
    }
  }
  const bool is_gbnf = form.kind == TextForm::Kind::kGbnf;
  const auto made = is_gbnf ? grammar::CompileGbnf(form.text)
                            : grammar::CompileJsonSchema(
                                  form.text, {.free_white_space = form.free_white_space,
                                              .unnamed_properties = form.unnamed_properties});
  if (!made) return Refuse(FromError(made.error(), is_gbnf ? "grammar" : "response_format"));
  const std::lock_guard lock(mutex_);
  compiled_.push_front({.form = form, .automaton = *made});
  if (compiled_.size() > kMostCompiled) compiled_.pop_back();
  return *made;
}

Parsed<Json> Service::ReadGeneration(const HttpRequest& http) const {
  auto body = ParseJsonText(http.body);
  if (!body) return Refuse(FromError(body.error()));
  return WithDefaults(*std::move(body), options_.defaults);
}

Parsed<ScheduledRequest> Service::Prepare(std::vector<int32_t> prompt,
                                          const GenerationOptions& options,
                                          const HttpRequest& http) const {
  HW_API_TRY_VOID(CheckPrompt(prompt, ContextTokens()));
  HW_API_TRY(const SamplingParams sampling, WithTextBiases(options, Tokens()));
  const int64_t vocab_size = model_->pipeline->model().vocab_size;
  if (const auto good = sampling::Validate(sampling, vocab_size); !good) {
    return Refuse(FromError(good.error(), sampling.logit_bias.empty() ? "" : "logit_bias"));
  }
  ScheduledRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = options.max_tokens < 0 ? ContextTokens() : options.max_tokens;
  request.options.kv = options_.kv;
  request.options.sampling = sampling;
  if (!options.has_seed) request.options.sampling.seed = RandomNumber();
  request.options.want_logprobs = options.logprobs;
  request.options.certified = options_.certified;
  if (options.form.kind != TextForm::Kind::kAny) {
    HW_API_TRY(request.options.grammar, Compile(options.form));
    request.options.trie = Trie();
    request.options.finish_within_capacity =
        options.finish_within_budget.value_or(options.form.kind == TextForm::Kind::kSchema);
  }
  request.most_drafts = options_.most_drafts;
  request.num_alternatives = options.top_logprobs;
  request.after_sampling = options.after_sampling;
  // A grammar's text has an end, and nothing follows it.
  request.stop_at_end = !options.ignore_end || request.options.grammar != nullptr;
  request.share_prefix = options.cache_prompt && !options.prompt_logprobs;
  request.want_prompt_logprobs = options.prompt_logprobs;
  request.client = http.remote;
  request.want_progress = options.stream && (options.timings_per_token || options.return_progress);
  if (options.timeout_s > 0.0)
    request.deadline_ns = NowNs() + static_cast<uint64_t>(options.timeout_s * 1e9);
  return request;
}

Parsed<std::vector<ScheduledRequest>> Service::PrepareChoices(std::vector<int32_t> prompt,
                                                              const GenerationOptions& options,
                                                              const HttpRequest& http) const {
  HW_API_TRY(ScheduledRequest request, Prepare(std::move(prompt), options, http));
  std::vector<ScheduledRequest> choices;
  for (int64_t i = 0; i < options.num_choices; ++i) {
    choices.push_back(request);
    ++request.options.sampling.seed;
  }
  return choices;
}

Parsed<std::unique_ptr<Answers>> Service::Begin(std::vector<ScheduledRequest> requests,
                                                const GenerationOptions& options, bool starts_text,
                                                const HttpRequest& http) const {
  HW_API_TRY(
      auto answers,
      Answers::Begin(scheduler_.get(), Tokens(), std::move(requests),
                     {.stop = options.stop,
                      .want_tokens = options.logprobs || options.token_ids || options.token_facts,
                      .want_facts = options.token_facts,
                      .want_reading = options.stream && options.return_progress,
                      .starts_text = starts_text}));
  HW_API_TRY_VOID(answers->WaitForFirst(http.is_there));
  return answers;
}

}  // namespace headway::server
