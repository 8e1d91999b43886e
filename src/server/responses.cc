// POST /v1/responses, OpenAI's newer form of a chat. Nothing is stored.

#include <memory>
#include <utility>

#include "server/chat_prompt.h"
#include "server/endpoints.h"
#include "server/wire.h"

namespace headway::server {
namespace {

Json TextPart(const std::string& text) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}};
}

Json MessageItem(const std::string& id, const char* status, Json content) {
  return {{"type", "message"},
          {"id", id},
          {"status", status},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

Json CallItem(const ToolCall& call) {
  return {{"type", "function_call"}, {"id", NewId("fc_")},     {"call_id", NewId("call_")},
          {"name", call.name},       {"arguments", call.text}, {"status", "completed"}};
}

Json NewResponse(const Service& service, const ChatRequest& request) {
  return {{"id", NewId("resp_")},
          {"object", "response"},
          {"created_at", UnixSeconds()},
          {"status", "in_progress"},
          {"error", nullptr},
          {"incomplete_details", nullptr},
          {"max_output_tokens",
           request.options.max_tokens < 0 ? Json(nullptr) : Json(request.options.max_tokens)},
          {"model", service.ModelName()},
          {"output", Json::array()},
          {"parallel_tool_calls", request.tools.parallel},
          {"temperature", request.options.sampling.temperature},
          {"top_p", request.options.sampling.top_p},
          {"store", false},
          {"usage", nullptr}};
}

// How it ended.
void Complete(const RequestEnd& end, Json* response) {
  const bool cut = FinishReason(end.reason) == "length";
  (*response)["status"] = cut ? "incomplete" : "completed";
  if (cut) (*response)["incomplete_details"] = {{"reason", "max_output_tokens"}};
  (*response)["usage"] = {{"input_tokens", end.prompt_tokens},
                          {"input_tokens_details", {{"cached_tokens", end.cached_tokens}}},
                          {"output_tokens", end.new_tokens},
                          {"output_tokens_details", {{"reasoning_tokens", 0}}},
                          {"total_tokens", end.prompt_tokens + end.new_tokens}};
}

class ResponseStream {
 public:
  ResponseStream(Json response, const ChatRequest& request, StreamWriter* writer)
      : response_(std::move(response)),
        options_(request.options),
        by_tools_(request.tools.Active()),
        writer_(writer) {}

  void Run(Answers* answers, const IsThere& is_there) {
    Write("response.created", {{"response", response_}});
    Write("response.in_progress", {{"response", response_}});
    if (!by_tools_) StartMessage();
    while (good_) {
      const auto event = answers->Next(is_there);
      if (!event) return;
      if (event->IsReading()) {
        Json reading = {{"response", response_}};
        AddProgress(options_, *event, &reading);
        Write("response.in_progress", reading);
        continue;
      }
      text_ += event->text;
      Json besides = Json::object();
      AddProgress(options_, *event, &besides);
      if (!by_tools_ && !event->text.empty()) WriteDelta(event->text, std::move(besides));
      if (event->end) return End(event->end->request);
    }
  }

 private:
  void Write(const char* name, const Json& event) {
    Json whole = {{"type", name}, {"sequence_number", number_++}};
    whole.update(event);
    good_ = good_ && WriteNamedEvent(writer_, name, whole);
  }
  // The same about the message's only part.
  void WritePart(const char* name, const Json& event) {
    Json whole = {{"item_id", id_}, {"output_index", 0}, {"content_index", 0}};
    whole.update(event);
    Write(name, whole);
  }
  void WriteDelta(const std::string& text, Json besides = Json::object()) {
    besides["delta"] = text;
    WritePart("response.output_text.delta", besides);
  }
  void StartMessage() {
    Write("response.output_item.added",
          {{"output_index", 0}, {"item", MessageItem(id_, "in_progress", Json::array())}});
    WritePart("response.content_part.added", {{"part", TextPart("")}});
  }
  void EndMessage(const std::string& text) {
    WritePart("response.output_text.done", {{"text", text}});
    WritePart("response.content_part.done", {{"part", TextPart(text)}});
    AddItem(0, MessageItem(id_, "completed", Json::array({TextPart(text)})));
  }
  void AddItem(size_t index, Json item) {
    response_["output"].push_back(item);
    Write("response.output_item.done", {{"output_index", index}, {"item", std::move(item)}});
  }

  void End(const RequestEnd& end) {
    if (const auto mistake = MistakeOf(end)) {
      response_["status"] = "failed";
      response_["error"] = {{"code", "server_error"}, {"message", mistake->message}};
      return Write("response.failed", {{"response", response_}});
    }
    const ToolAnswer parsed =
        by_tools_ ? ParseToolAnswer(text_) : ToolAnswer{.content = text_, .calls = {}};
    if (parsed.calls.empty()) {
      if (by_tools_) {
        StartMessage();
        WriteDelta(parsed.content);
      }
      EndMessage(parsed.content);
    }
    for (size_t i = 0; i < parsed.calls.size(); ++i) {
      Json item = CallItem(parsed.calls[i]);
      Write("response.output_item.added", {{"output_index", i}, {"item", item}});
      Write("response.function_call_arguments.done",
            {{"item_id", item["id"]}, {"output_index", i}, {"arguments", item["arguments"]}});
      AddItem(i, std::move(item));
    }
    Complete(end, &response_);
    const bool cut = response_["status"] == "incomplete";
    Write(cut ? "response.incomplete" : "response.completed",
          {{"response", response_}, {"timings", Timings(end)}});
  }

  Json response_;
  const GenerationOptions options_;
  const bool by_tools_;
  StreamWriter* const writer_;
  const std::string id_ = NewId("msg_");
  std::string text_;
  int64_t number_ = 0;
  bool good_ = true;
};

}  // namespace

HttpReply Responses(const Service& service, const HttpRequest& http) {
  const auto body = service.ReadGeneration(http);
  if (!body) return ErrorReply(body.error());
  const auto request = ParseResponsesRequest(*body);
  if (!request) return ErrorReply(request.error());
  auto begun = BeginChat(service, *request, http);
  if (!begun) return ErrorReply(begun.error());
  Json response = NewResponse(service, *request);
  const bool by_tools = request->tools.Active();
  if (request->options.stream) {
    const std::shared_ptr<Answers> answers = *std::move(begun);
    return EventStream([response = std::move(response), request = *request, answers,
                        is_there = http.is_there](StreamWriter* writer) {
      ResponseStream(response, request, writer).Run(answers.get(), is_there);
    });
  }
  const auto whole = Collect(begun->get(), http.is_there);
  if (!whole) return ErrorReply(whole.error());
  const WholeAnswer& answer = whole->front();
  const ToolAnswer parsed =
      by_tools ? ParseToolAnswer(answer.text) : ToolAnswer{.content = answer.text, .calls = {}};
  for (const ToolCall& call : parsed.calls) response["output"].push_back(CallItem(call));
  if (parsed.calls.empty()) {
    response["output"].push_back(
        MessageItem(NewId("msg_"), "completed", Json::array({TextPart(parsed.content)})));
  }
  Complete(answer.end.request, &response);
  return JsonReply(response);
}

HttpReply ResponseInputTokens(const Service& service, const HttpRequest& http) {
  const auto count = CountPrompt(service, http, ParseResponsesRequest);
  if (!count) return ErrorReply(count.error());
  return JsonReply({{"object", "response.input_tokens"}, {"input_tokens", *count}});
}

}  // namespace headway::server
