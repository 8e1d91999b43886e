#include <fmt/format.h>

#include "server/chat_request.h"

namespace headway::server {
namespace {

// An item of "input": a message, a call that the assistant made, or what came of one.
Parsed<ChatMessage> ReadItem(const Json& json, const std::string& where) {
  Fields fields(json, where);
  std::string type = "message";
  fields.Read("type", &type);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  if (type == "message") {
    HW_API_TRY(auto messages, ReadMessages(Json::array({json}), where));
    return std::move(messages.front());
  }
  if (type == "function_call") {
    std::string name;
    std::string arguments = "{}";
    fields.Read("name", &name);
    fields.Read("arguments", &arguments);
    if (!fields.Good()) return Refuse(*fields.Mistake());
    const auto parsed = ParseJsonText(arguments);
    const std::vector<ToolCall> calls = {
        {.name = name, .arguments = parsed ? *parsed : Json(arguments)}};
    return ChatMessage{.role = "assistant", .content = CallsAsText(calls)};
  }
  if (type == "function_call_output") {
    HW_API_TRY(const std::string output,
               ReadContent(fields.Find("output"), fields.PathOf("output")));
    return ChatMessage{.role = "user", .content = ResultAsText("", output)};
  }
  fields.Wrong("type", "message, function_call or function_call_output", type);
  return Refuse(*fields.Mistake());
}

// {"format": {"type": "json_schema", "schema": ...}}
void ReadTextFormat(Fields* fields, TextForm* form) {
  const Json* const text = fields->Find("text");
  if (text == nullptr) return;
  Fields inner(*text, "text");
  const Json* const format = inner.Find("format");
  if (!inner.Good()) return fields->Wrong(*inner.Mistake());
  if (format == nullptr) return;
  if (!format->is_object()) return fields->Wrong("text.format", "an object", KindOf(*format));
  // As chat completions have it, one level deeper.
  Json as_chat = {{"response_format", *format}};
  if (format->contains("schema"))
    as_chat["response_format"]["json_schema"] = {{"schema", (*format)["schema"]}};
  Fields chat(as_chat);
  ReadForm(&chat, form);
  if (!chat.Good()) fields->Wrong(*chat.Mistake());
}

}  // namespace

Parsed<ChatRequest> ParseResponsesRequest(const Json& body) {
  Fields fields(body);
  ChatRequest request;
  GenerationOptions& options = request.options;
  options.sampling.temperature = 1.0F;
  ReadStreaming(&fields, &options);
  ReadSampling(&fields, &options);
  ReadTextFormat(&fields, &options.form);
  ReadWhiteSpace(&fields, &options.form);
  ReadTools(&fields, &request.tools);
  fields.Read("n_predict", &options.max_tokens, -1, int64_t{1} << 31);  // the server's default
  fields.Read("max_output_tokens", &options.max_tokens, 1, int64_t{1} << 31);
  if (fields.Has("previous_response_id"))
    fields.Wrong("previous_response_id", "none (this server keeps no responses)", "one");
  std::string instructions;
  fields.Read("instructions", &instructions);
  const Json* const input = fields.Find("input");
  if (input == nullptr || !(input->is_string() || (input->is_array() && !input->empty())))
    fields.Wrong("input", "a string or an array of items", "none");
  if (request.tools.Active() && options.form.kind != TextForm::Kind::kAny)
    fields.Wrong("tools", "no text.format beside them", "one");
  if (!fields.Good()) return Refuse(*fields.Mistake());
  if (!instructions.empty())
    request.messages.push_back({.role = "system", .content = std::move(instructions)});
  if (input->is_string()) {
    request.messages.push_back({.role = "user", .content = input->get<std::string>()});
    return request;
  }
  for (size_t i = 0; i < input->size(); ++i) {
    HW_API_TRY(ChatMessage message, ReadItem((*input)[i], fmt::format("input[{}]", i)));
    request.messages.push_back(std::move(message));
  }
  return request;
}

}  // namespace headway::server
