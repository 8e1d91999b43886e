// POST /v1/messages and /v1/messages/count_tokens, Anthropic's.

#include <memory>
#include <utility>

#include "server/chat_prompt.h"
#include "server/endpoints.h"
#include "server/wire.h"

namespace headway::server {
namespace {

Json AnthropicUsage(const RequestEnd& end) {
  return {{"input_tokens", end.prompt_tokens - end.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", end.cached_tokens},
          {"output_tokens", end.new_tokens}};
}

std::string StopReasonOf(const AnswerEnd& end, bool has_calls) {
  if (has_calls) return "tool_use";
  if (!end.stop.empty()) return "stop_sequence";
  return FinishReason(end.request.reason) == "length" ? "max_tokens" : "end_turn";
}

Json OrNullText(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json TextBlock(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

Json CallBlock(const ToolCall& call, Json input) {
  return {{"type", "tool_use"},
          {"id", NewId("toolu_")},
          {"name", call.name},
          {"input", std::move(input)}};
}

Json EmptyMessage(const std::string& id, const std::string& model) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr},
          {"usage", {{"input_tokens", 0}, {"output_tokens", 0}}}};
}

HttpReply WholeMessage(const Service& service, const ChatRequest& request, Answers* answers,
                       const HttpRequest& http) {
  const auto whole = Collect(answers, http.is_there);
  if (!whole) return AnthropicErrorReply(whole.error());
  const WholeAnswer& answer = whole->front();
  const ToolAnswer parsed = request.tools.Active()
                                ? ParseToolAnswer(answer.text)
                                : ToolAnswer{.content = answer.text, .calls = {}};
  Json message = EmptyMessage(NewId("msg_"), service.ModelName());
  if (parsed.calls.empty()) message["content"].push_back(TextBlock(parsed.content));
  for (const ToolCall& call : parsed.calls)
    message["content"].push_back(CallBlock(call, call.arguments));
  message["stop_reason"] = StopReasonOf(answer.end, !parsed.calls.empty());
  message["stop_sequence"] = OrNullText(answer.end.stop);
  message["usage"] = AnthropicUsage(answer.end.request);
  return JsonReply(message);
}

class MessageStream {
 public:
  MessageStream(const ChatRequest& request, StreamWriter* writer)
      : by_tools_(request.tools.Active()), writer_(writer) {}

  void Run(const std::string& model, Answers* answers, const IsThere& is_there) {
    Json message = EmptyMessage(NewId("msg_"), model);
    message["usage"]["input_tokens"] = answers->PromptTokens();
    Write("message_start", {{"message", std::move(message)}});
    if (!by_tools_) StartBlock(TextBlock(""));
    while (good_) {
      const auto event = answers->Next(is_there);
      if (!event) return;
      if (by_tools_) {
        text_ += event->text;
      } else if (!event->text.empty()) {
        Delta({{"type", "text_delta"}, {"text", event->text}});
      }
      if (event->end) return End(*event->end);
    }
  }

 private:
  void Write(const char* name, const Json& event) {
    Json whole = {{"type", name}};
    whole.update(event);
    good_ = good_ && WriteNamedEvent(writer_, name, whole);
  }
  void StartBlock(Json block) {
    Write("content_block_start", {{"index", index_}, {"content_block", std::move(block)}});
  }
  void Delta(Json delta) {
    Write("content_block_delta", {{"index", index_}, {"delta", std::move(delta)}});
  }
  void StopBlock() { Write("content_block_stop", {{"index", index_++}}); }

  void End(const AnswerEnd& end) {
    if (const auto mistake = MistakeOf(end.request)) {
      WriteNamedEvent(writer_, "error", AnthropicError(*mistake));
      return;
    }
    const ToolAnswer parsed = by_tools_ ? ParseToolAnswer(text_) : ToolAnswer();
    for (const ToolCall& call : parsed.calls) {
      StartBlock(CallBlock(call, Json::object()));
      Delta({{"type", "input_json_delta"}, {"partial_json", call.text}});
      StopBlock();
    }
    if (by_tools_ && parsed.calls.empty()) {
      StartBlock(TextBlock(""));
      Delta({{"type", "text_delta"}, {"text", parsed.content}});
    }
    if (parsed.calls.empty()) StopBlock();
    Write("message_delta", {{"delta",
                             {{"stop_reason", StopReasonOf(end, !parsed.calls.empty())},
                              {"stop_sequence", OrNullText(end.stop)}}},
                            {"usage", AnthropicUsage(end.request)}});
    Write("message_stop", Json::object());
  }

  const bool by_tools_;
  StreamWriter* const writer_;
  std::string text_;
  int64_t index_ = 0;
  bool good_ = true;
};

}  // namespace

HttpReply Messages(const Service& service, const HttpRequest& http) {
  const auto body = service.ReadGeneration(http);
  if (!body) return AnthropicErrorReply(body.error());
  const auto request = ParseMessagesRequest(*body, true);
  if (!request) return AnthropicErrorReply(request.error());
  auto begun = BeginChat(service, *request, http);
  if (!begun) return AnthropicErrorReply(begun.error());
  if (!request->options.stream) return WholeMessage(service, *request, begun->get(), http);
  const std::shared_ptr<Answers> answers = *std::move(begun);
  return EventStream(
      [&service, request = *request, answers, is_there = http.is_there](StreamWriter* writer) {
        MessageStream(request, writer).Run(service.ModelName(), answers.get(), is_there);
      });
}

HttpReply CountTokens(const Service& service, const HttpRequest& http) {
  const auto count = CountPrompt(
      service, http, [](const Json& body) { return ParseMessagesRequest(body, false); });
  if (!count) return AnthropicErrorReply(count.error());
  return JsonReply({{"input_tokens", *count}});
}

}  // namespace headway::server
