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

namespace headway::server {
namespace {

constexpr size_t kMostCompiled = 64;

Parsed<void> CheckPrompt(const std::vector<int32_t>& prompt, int64_t context) {
  if (prompt.empty())
    return Refuse(BadField("prompt", "prompt: expected at least one token, found none"));
  const auto length = static_cast<int64_t>(prompt.size());
  if (length < context) return {};
  return Refuse(
      {.status = 400,
       .message = fmt::format("prompt: expected fewer than {} tokens (the context), found "
                              "{}",
                              context, length),
       .param = "prompt",
       .code = "context_length_exceeded"});
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
    : model_(std::move(model)), options_(std::move(options)), started_at_(UnixSeconds()) {}

Result<std::unique_ptr<Service>> Service::Start(std::unique_ptr<OpenedModel> model,
                                                ServiceOptions options) {
  if (options.alias.empty()) options.alias = model->summary.name;
  if (options.alias.empty()) options.alias = "headway";
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
                                  form.text, {.unnamed_properties = form.unnamed_properties});
  if (!made) return Refuse(FromError(made.error(), is_gbnf ? "grammar" : "response_format"));
  const std::lock_guard lock(mutex_);
  compiled_.push_front({.form = form, .automaton = *made});
  if (compiled_.size() > kMostCompiled) compiled_.pop_back();
  return *made;
}

Parsed<ScheduledRequest> Service::Prepare(std::vector<int32_t> prompt,
                                          const GenerationOptions& options,
                                          const HttpRequest& http) const {
  HW_API_TRY_VOID(CheckPrompt(prompt, ContextTokens()));
  const int64_t vocab_size = model_->pipeline->model().vocab_size;
  if (const auto good = sampling::Validate(options.sampling, vocab_size); !good) {
    return Refuse(FromError(good.error(), options.sampling.logit_bias.empty() ? "" : "logit_bias"));
  }
  ScheduledRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = options.max_tokens < 0 ? ContextTokens() : options.max_tokens;
  request.options.kv = options_.kv;
  request.options.sampling = options.sampling;
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
  // A grammar's text has an end, and nothing follows it.
  request.stop_at_end = !options.ignore_end || request.options.grammar != nullptr;
  request.share_prefix = options.cache_prompt;
  request.client = http.remote;
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
  HW_API_TRY(auto answers, Answers::Begin(scheduler_.get(), Tokens(), std::move(requests),
                                          {.stop = options.stop,
                                           .want_tokens = options.logprobs || options.token_facts,
                                           .want_facts = options.token_facts,
                                           .starts_text = starts_text}));
  HW_API_TRY_VOID(answers->WaitForFirst(http.is_there));
  return answers;
}

}  // namespace headway::server
