#include "headway/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "api/opened_model.h"
#include "runtime/session.h"
#include "tokenizer/stream_decoder.h"

namespace headway {
namespace {

// Decodes until something stops it. Tokens chosen so far are kept when the user interrupts.
Result<void> DecodeLoop(const OpenedModel& model, const GenerateOptions& options, Session* session,
                        const std::function<void(const GeneratedToken&)>& on_token, int64_t max_new,
                        Generation* result) {
  tokenizer::StreamDecoder stream(*model.tokenizer);
  Result<void> outcome;
  while (static_cast<int64_t>(result->ids.size()) < max_new) {
    const auto choice = session->Decode();
    if (!choice) {
      if (choice.error().code != ErrorCode::kCancelled)
        return tl::unexpected<Error>(choice.error());
      result->stop_reason = StopReason::kCancelled;
      break;
    }
    result->ids.push_back(choice->token);
    if (options.want_logprobs) result->logprobs.push_back(choice->logprob);
    const bool is_end = options.stop_at_end && model.tokenizer->IsEndOfGeneration(choice->token);
    const std::string text = is_end ? std::string() : stream.Push(choice->token);
    result->text += text;
    if (on_token)
      on_token(
          {.id = choice->token, .logit = choice->logit, .logprob = choice->logprob, .text = text});
    if (is_end) {
      result->stop_reason = StopReason::kEndToken;
      break;
    }
  }
  const std::string rest = stream.Finish();
  result->text += rest;
  if (on_token && !rest.empty()) on_token({.id = -1, .logit = 0.0F, .logprob = 0.0F, .text = rest});
  return outcome;
}

// The KV cache is the one allocation that a request can make too large for the machine.
Result<std::unique_ptr<Session>> NewSession(const OpenedModel& model,
                                            const GenerateOptions& options,
                                            int64_t capacity_tokens) {
  SessionOptions session_options{.capacity_tokens = capacity_tokens,
                                 .sampling = options.sampling,
                                 .want_logprobs = options.want_logprobs,
                                 .progress = options.progress,
                                 .cancelled_or_null = options.cancelled_or_null};
  try {
    return Session::Create(model.pipeline, model.pool.get(), model.kernels->kernels,
                           std::move(session_options));
  } catch (const std::bad_alloc&) {
    return Fail(
        ErrorCode::kIo,
        fmt::format("sequence: not enough memory for the cache of {} tokens (prompt and new "
                    "ones); ask for fewer",
                    capacity_tokens));
  }
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
  }
  return "";
}

Engine::Engine(std::unique_ptr<OpenedModel> model) : model_(std::move(model)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::Open(const std::string& path, const EngineOptions& options) {
  HW_TRY(auto model, OpenModel(path, options));
  return Engine(std::move(model));
}

const ModelSummary& Engine::Summary() const { return model_->summary; }

Result<std::vector<int32_t>> Engine::Encode(std::string_view text, bool parse_special) const {
  return model_->tokenizer->Encode(text, {.add_bos = true, .parse_special = parse_special});
}

Result<std::vector<int32_t>> Engine::EncodeChat(std::span<const ChatMessage> messages) const {
  std::vector<tokenizer::ChatMessage> copies;
  for (const ChatMessage& message : messages)
    copies.push_back({.role = message.role, .content = message.content});
  return model_->tokenizer->EncodeChat(copies, true);
}

std::string Engine::Decode(std::span<const int32_t> ids) const {
  return model_->tokenizer->Decode(ids);
}

Result<Generation> Engine::Generate(
    std::span<const int32_t> prompt, const GenerateOptions& options,
    const std::function<void(const GeneratedToken&)>& on_token) const {
  const int64_t context = model_->pipeline->model().max_position_embeddings;
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
  const int64_t max_new = std::min(options.max_new_tokens, context - prompt_tokens);
  HW_TRY(const auto session, NewSession(*model_, options, prompt_tokens + max_new));
  Generation result;
  result.stop_reason =
      max_new < options.max_new_tokens ? StopReason::kContextFull : StopReason::kMaxTokens;
  result.ids.reserve(static_cast<size_t>(max_new));
  const Result<void> appended = session->Append(prompt);
  if (appended) {
    HW_TRY_VOID(DecodeLoop(*model_, options, session.get(), on_token, max_new, &result));
  } else if (appended.error().code == ErrorCode::kCancelled) {
    result.stop_reason = StopReason::kCancelled;
  } else {
    return tl::unexpected<Error>(appended.error());
  }
  result.counters = session->GetCounters();
  result.counters.logits_hash = session->LastLogitsHash();
  return result;
}

}  // namespace headway
