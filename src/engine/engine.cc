#include "headway/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "engine/generate.h"
#include "engine/generation_session.h"
#include "engine/open.h"
#include "engine/stop_matcher.h"
#include "tokenizer/stream_decoder.h"

namespace headway {
namespace {

// Decodes until something stops it. Tokens chosen so far are kept when the user interrupts.
class DecodeLoop {
 public:
  DecodeLoop(const OpenedModel& model, const GenerateOptions& options,
             const std::function<void(const GeneratedToken&)>& on_token, Generation* result)
      : model_(model),
        options_(options),
        on_token_(on_token),
        result_(result),
        stream_(*model.tokenizer),
        stops_(options.stop) {}

  Result<void> Run(GenerationSession* source, int64_t max_new) {
    bool goes_on = true;
    while (goes_on) {
      const int64_t left = max_new - static_cast<int64_t>(result_->ids.size());
      if (left < 1) break;
      if (source->IsOver()) {
        result_->stop_reason = StopReason::kEndToken;
        break;
      }
      const auto choices = source->Next(left);
      if (!choices) {
        if (choices.error().code != ErrorCode::kCancelled)
          return tl::unexpected<Error>(choices.error());
        result_->stop_reason = StopReason::kCancelled;
        break;
      }
      const std::span<const Certificate> certificates = source->Certificates();
      HW_TRY_VOID(CheckIntegrity(model_, false));
      for (size_t i = 0; i < choices->size() && goes_on; ++i) {
        if (i < certificates.size()) result_->certificates.push_back(certificates[i]);
        goes_on = AcceptChoice((*choices)[i]);
      }
    }
    std::string rest = stops_.Push(stream_.Finish());
    rest += stops_.Finish();
    if (stops_.Found()) result_->stop_reason = StopReason::kStopString;
    result_->text += rest;
    if (on_token_ && !rest.empty())
      on_token_({.id = -1, .logit = 0.0F, .logprob = 0.0F, .text = rest});
    return {};
  }

 private:
  // False after the token that ends the text.
  bool AcceptChoice(const sampling::Sampler::Choice& choice) {
    result_->ids.push_back(choice.token);
    if (options_.want_logprobs) result_->logprobs.push_back(choice.logprob);
    const bool is_end = options_.stop_at_end && model_.tokenizer->IsEndOfGeneration(choice.token);
    const std::string text = is_end ? std::string() : stops_.Push(stream_.Push(choice.token));
    result_->text += text;
    if (on_token_)
      on_token_(
          {.id = choice.token, .logit = choice.logit, .logprob = choice.logprob, .text = text});
    if (is_end) result_->stop_reason = StopReason::kEndToken;
    if (stops_.Found()) result_->stop_reason = StopReason::kStopString;
    return !is_end && !stops_.Found();
  }

  const OpenedModel& model_;
  const GenerateOptions& options_;
  const std::function<void(const GeneratedToken&)>& on_token_;
  Generation* const result_;
  tokenizer::StreamDecoder stream_;
  StopMatcher stops_;
};

Result<std::vector<int32_t>> EncodeConversation(const OpenedModel& model,
                                                const jinja::Value& messages,
                                                const ChatOptions& options) {
  HW_TRY(chat::Request asked,
         chat::MakeRequest(messages, options.tools_json, options.variables_json));
  asked.add_generation_prompt = options.add_generation_prompt;
  if (!options.chat_template.empty()) {
    HW_TRY(const auto own, chat::ChatTemplate::FromSource(options.chat_template, *model.tokenizer));
    return own.Encode(asked, *model.tokenizer);
  }
  if (!*model.chat) return tl::unexpected<Error>(model.chat->error());
  return (*model.chat)->Encode(asked, *model.tokenizer);
}

}  // namespace

const char* ToString(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kContextFull:
      return "context_full";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kStopString:
      return "stop";
  }
  return "";
}

Engine::Engine(std::unique_ptr<OpenedModel> model) : model_(std::move(model)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

const ModelSummary& Engine::Summary() const { return model_->summary; }

Result<std::vector<int32_t>> Engine::Encode(std::string_view text, bool parse_special) const {
  return model_->tokenizer->Encode(text, {.add_bos = true, .parse_special = parse_special});
}

std::optional<std::string> Engine::SpelledSpecialToken(std::string_view text) const {
  const std::optional<int32_t> id = model_->tokenizer->FindSpecialToken(text);
  if (!id) return std::nullopt;
  return std::string(model_->tokenizer->TokenBytes(*id));
}

Result<std::vector<int32_t>> Engine::EncodeChat(std::span<const ChatMessage> messages,
                                                const ChatOptions& options) const {
  HW_TRY(const jinja::Value values, chat::MessagesFromPairs(messages));
  return EncodeConversation(*model_, values, options);
}

Result<std::vector<int32_t>> Engine::EncodeChatJson(std::string_view messages_json,
                                                    const ChatOptions& options) const {
  HW_TRY(const jinja::Value values, chat::MessagesFromJson(messages_json));
  return EncodeConversation(*model_, values, options);
}

std::string Engine::Decode(std::span<const int32_t> ids) const {
  return model_->tokenizer->Decode(ids);
}

Result<Generation> Generate(OpenedModel* model, std::span<const int32_t> prompt,
                            const GenerateOptions& options,
                            const std::function<void(const GeneratedToken&)>& on_token) {
  const int64_t context = model->pipeline->manifest().ContextTokens();
  const auto prompt_tokens = static_cast<int64_t>(prompt.size());
  if (prompt_tokens < 1)
    return Fail(ErrorCode::kInvalidInput, "prompt: expected at least one token, found none");
  if (prompt_tokens > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("prompt: expected at most {} tokens (the model's context), found {}",
                            context, prompt_tokens));
  }
  if (options.max_new_tokens < 0) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("number of tokens: expected 0 or more, found {}", options.max_new_tokens));
  }
  for (const std::string& stop : options.stop) {
    if (stop.empty()) return Fail(ErrorCode::kInvalidInput, "stop: expected text, found none");
  }
  const int64_t max_new = std::min(options.max_new_tokens, context - prompt_tokens);
  const std::lock_guard lock(model->generating);
  HW_TRY(auto source, GenerationSession::Create(*model, options, prompt_tokens + max_new));
  Generation result;
  result.kv = options.kv;
  result.stop_reason =
      max_new < options.max_new_tokens ? StopReason::kContextFull : StopReason::kMaxTokens;
  result.ids.reserve(static_cast<size_t>(max_new));
  const Result<void> appended = source.Append(prompt);
  if (appended) {
    DecodeLoop loop(*model, options, on_token, &result);
    HW_TRY_VOID(loop.Run(&source, max_new));
  } else if (appended.error().code == ErrorCode::kCancelled) {
    result.stop_reason = StopReason::kCancelled;
  } else {
    return tl::unexpected<Error>(appended.error());
  }
  const bool ran_out = result.stop_reason == StopReason::kMaxTokens ||
                       result.stop_reason == StopReason::kContextFull;
  if (ran_out && source.TextIsFinal()) result.stop_reason = StopReason::kEndToken;
  result.is_cut = ran_out && !source.TextIsComplete();
  if (result.is_cut) result.tokens_to_complete = source.TokensOfShortestText();
  if (result.stop_reason != StopReason::kCancelled) HW_TRY_VOID(CheckIntegrity(*model, true));
  result.counters = source.TakeCounters();
  return result;
}

Result<Generation> Engine::Generate(
    std::span<const int32_t> prompt, const GenerateOptions& options,
    const std::function<void(const GeneratedToken&)>& on_token) const {
  return headway::Generate(model_.get(), prompt, options, on_token);
}

}  // namespace headway
