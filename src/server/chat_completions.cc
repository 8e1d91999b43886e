// POST /v1/chat/completions

#include <memory>
#include <utility>

#include "headway/version.h"
#include "server/chat_prompt.h"
#include "server/endpoints.h"
#include "server/generation_settings.h"
#include "server/wire.h"

namespace headway::server {
namespace {

// What all of a request's objects say.
struct ChatFrame {
  std::string id = NewId("chatcmpl-");
  int64_t created = UnixSeconds();
  std::string model;

  Json Object(const char* object, Json choices) const {
    return {{"id", id},
            {"object", object},
            {"created", created},
            {"model", model},
            {"system_fingerprint", std::string("headway-") + kVersion},
            {"choices", std::move(choices)}};
  }
  Json Chunk(int64_t index, Json delta, Json logprobs, Json finish_reason) const {
    return Object("chat.completion.chunk", Json::array({{{"index", index},
                                                         {"delta", std::move(delta)},
                                                         {"logprobs", std::move(logprobs)},
                                                         {"finish_reason", finish_reason}}}));
  }
};

Json CallsOf(const ToolAnswer& answer, bool with_index) {
  Json calls = Json::array();
  for (const ToolCall& call : answer.calls) {
    Json one = Json::object();
    if (with_index) one["index"] = calls.size();
    one["id"] = NewId("call_");
    one["type"] = "function";
    one["function"] = {{"name", call.name}, {"arguments", call.text}};
    calls.push_back(std::move(one));
  }
  return calls;
}

// What it took to choose the tokens.
Json FactsOf(const Service& service, const std::vector<TokenText>& tokens) {
  const uint64_t whole_bytes = WholeHeadBytes(*service.Model().pipeline);
  Json all = Json::array();
  for (const TokenText& token : tokens) {
    Json one = TokenFactsJson(token.facts, whole_bytes);
    one["id"] = token.id;
    one["token"] = service.Tokens().TokenBytes(token.id);
    all.push_back(std::move(one));
  }
  return {{"tokens", std::move(all)}};
}

Json WholeChoice(const Service& service, const ChatRequest& request, int64_t index,
                 const WholeAnswer& answer) {
  const bool by_tools = request.tools.Active();
  const ToolAnswer parsed =
      by_tools ? ParseToolAnswer(answer.text) : ToolAnswer{.content = answer.text, .calls = {}};
  Json message = {{"role", "assistant"}, {"content", parsed.content}};
  std::string finish = FinishReason(answer.end.request.reason);
  if (!parsed.calls.empty()) {
    message["content"] = nullptr;
    message["tool_calls"] = CallsOf(parsed, false);
    finish = "tool_calls";
  }
  Json logprobs = nullptr;
  if (request.options.logprobs) logprobs = ChatLogprobs(service.Tokens(), answer.tokens);
  Json choice = {{"index", index},
                 {"message", std::move(message)},
                 {"logprobs", std::move(logprobs)},
                 {"finish_reason", finish}};
  if (request.options.token_facts) choice["headway"] = FactsOf(service, answer.tokens);
  return choice;
}

// What was made of the request, for who asks.
void AddVerbose(const Service& service, const ChatRequest& request, Json* body) {
  if (!request.options.verbose) return;
  const auto prompt = RenderChat(service, request);
  (*body)["__verbose"] = {{"prompt", prompt ? *prompt : std::string()},
                          {"generation_settings", GenerationSettings(request.options)}};
}

HttpReply WholeChat(const Service& service, const ChatRequest& request, const ChatFrame& frame,
                    Answers* answers, const HttpRequest& http) {
  const auto whole = Collect(answers, http.is_there);
  if (!whole) return ErrorReply(whole.error());
  Json choices = Json::array();
  Usage usage;
  for (const WholeAnswer& answer : *whole) {
    choices.push_back(WholeChoice(service, request, static_cast<int64_t>(choices.size()), answer));
    usage.Add(answer.end.request, true);
  }
  Json body = frame.Object("chat.completion", std::move(choices));
  body["usage"] = OpenAiUsage(usage);
  body["timings"] = Timings(whole->front().end.request);
  AddVerbose(service, request, &body);
  return JsonReply(body);
}

// Writes chunks as answers come in.
class ChatStream {
 public:
  ChatStream(const Service& service, ChatRequest request, ChatFrame frame, StreamWriter* writer)
      : service_(service),
        request_(std::move(request)),
        frame_(std::move(frame)),
        writer_(writer),
        texts_(static_cast<size_t>(request_.options.num_choices)) {}

  void Run(Answers* answers, const IsThere& is_there) {
    // As OpenAI begins what may become calls, and words.
    const Json first = request_.tools.Active() ? Json(nullptr) : Json("");
    for (int64_t index = 0; index < answers->Count(); ++index)
      Write(frame_.Chunk(index, {{"role", "assistant"}, {"content", first}}, nullptr, nullptr));
    while (good_) {
      const auto event = answers->Next(is_there);
      if (!event) break;
      if (!Take(*event)) return;
    }
    if (!good_ || answers->ClientIsGone()) return;
    if (request_.options.include_usage) {
      Json chunk = frame_.Object("chat.completion.chunk", Json::array());
      chunk["usage"] = OpenAiUsage(usage_);
      chunk["timings"] = timings_;
      WriteEvent(writer_, chunk);
    }
    writer_->Write("data: [DONE]\n\n");
  }

 private:
  void Write(Json chunk) {
    if (request_.options.include_usage) chunk["usage"] = nullptr;
    good_ = good_ && WriteEvent(writer_, chunk);
  }

  // False: the answer failed, and that was said.
  bool Take(const AnswerEvent& event) {
    if (event.IsReading()) {
      Json chunk = frame_.Chunk(event.index, Json::object(), nullptr, nullptr);
      AddProgress(request_.options, event, &chunk);
      Write(std::move(chunk));
      return true;
    }
    const bool by_tools = request_.tools.Active();
    std::string& text = texts_[static_cast<size_t>(event.index)];
    if (by_tools) text += event.text;
    const bool has_facts = request_.options.token_facts && !event.tokens.empty();
    if (has_facts || (!by_tools && (!event.text.empty() || !event.tokens.empty()))) {
      Json logprobs = nullptr;
      if (request_.options.logprobs && !by_tools)
        logprobs = ChatLogprobs(service_.Tokens(), event.tokens);
      Json chunk = frame_.Chunk(event.index, {{"content", by_tools ? "" : event.text}},
                                std::move(logprobs), nullptr);
      AddProgress(request_.options, event, &chunk);
      if (has_facts) chunk["choices"][0]["headway"] = FactsOf(service_, event.tokens);
      Write(std::move(chunk));
    }
    if (!event.end) return true;
    const RequestEnd& end = event.end->request;
    if (const auto mistake = MistakeOf(end)) {
      WriteEvent(writer_, OpenAiError(*mistake));
      return false;
    }
    std::string finish = FinishReason(end.reason);
    if (by_tools) {
      const ToolAnswer answer = ParseToolAnswer(text);
      if (answer.calls.empty()) {
        Write(frame_.Chunk(event.index, {{"content", answer.content}}, nullptr, nullptr));
      } else {
        Write(frame_.Chunk(event.index, {{"tool_calls", CallsOf(answer, true)}}, nullptr, nullptr));
        finish = "tool_calls";
      }
    }
    Json last = frame_.Chunk(event.index, Json::object(), nullptr, finish);
    timings_ = Timings(end);
    last["timings"] = timings_;
    AddVerbose(service_, request_, &last);
    Write(std::move(last));
    usage_.Add(end, true);
    return true;
  }

  const Service& service_;
  const ChatRequest request_;
  const ChatFrame frame_;
  StreamWriter* const writer_;
  std::vector<std::string> texts_;  // of answers that are read at their end
  Usage usage_;
  Json timings_ = nullptr;  // of the answer that ended last
  bool good_ = true;
};

}  // namespace

HttpReply ChatCompletions(const Service& service, const HttpRequest& http) {
  const auto body = service.ReadGeneration(http);
  if (!body) return ErrorReply(body.error());
  const auto request = ParseChatCompletion(*body);
  if (!request) return ErrorReply(request.error());
  auto begun = BeginChat(service, *request, http);
  if (!begun) return ErrorReply(begun.error());
  ChatFrame frame;
  frame.model = service.ModelName();
  if (!request->options.stream) return WholeChat(service, *request, frame, begun->get(), http);
  const std::shared_ptr<Answers> answers = *std::move(begun);
  return EventStream([&service, request = *request, frame, answers,
                      is_there = http.is_there](StreamWriter* writer) {
    ChatStream(service, request, frame, writer).Run(answers.get(), is_there);
  });
}

HttpReply ChatInputTokens(const Service& service, const HttpRequest& http) {
  const auto count = CountPrompt(service, http, ParseChatCompletion);
  if (!count) return ErrorReply(count.error());
  return JsonReply({{"object", "chat.completion.input_tokens"}, {"input_tokens", *count}});
}

}  // namespace headway::server
