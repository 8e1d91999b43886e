#include <fmt/format.h>

#include "server/chat_request.h"

namespace headway::server {
namespace {

std::string Joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "\n" + b;
}

// The calls that an assistant's message made.
Parsed<std::vector<ToolCall>> ReadCalls(const Json& list, const std::string& where) {
  if (!list.is_array()) {
    return Refuse(
        BadField(where, fmt::format("{}: expected an array, found {}", where, KindOf(list))));
  }
  std::vector<ToolCall> calls;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", where, i);
    Fields outer(list[i], place);
    const Json* const function = outer.Find("function");
    const Json nothing = Json::object();
    Fields inner(function == nullptr ? nothing : *function, place + ".function");
    std::string name;
    std::string arguments = "{}";
    inner.Read("name", &name);
    inner.Read("arguments", &arguments);
    if (name.empty()) inner.Wrong("name", "a name", "none");
    if (!outer.Good()) return Refuse(*outer.Mistake());
    if (!inner.Good()) return Refuse(*inner.Mistake());
    const auto parsed = ParseJsonText(arguments);
    calls.push_back({.name = name, .arguments = parsed ? *parsed : Json(arguments)});
  }
  return calls;
}

Parsed<ChatMessage> ReadMessage(const Json& json, const std::string& where) {
  Fields fields(json, where);
  std::string role;
  fields.Read("role", &role);
  const bool known = role == "system" || role == "developer" || role == "user" ||
                     role == "assistant" || role == "tool" || role == "function";
  if (!known) {
    fields.Wrong("role", "system, developer, user, assistant or tool",
                 role.empty() ? "none" : role);
  }
  std::string name;
  fields.Read("name", &name);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  const Json* const content = fields.Find("content");
  HW_API_TRY(std::string text, ReadContent(content, fields.PathOf("content")));
  if (role == "assistant") {
    if (const Json* const list = fields.Find("tool_calls"); list != nullptr && !list->empty()) {
      HW_API_TRY(const auto calls, ReadCalls(*list, fields.PathOf("tool_calls")));
      return ChatMessage{.role = role, .content = Joined(text, CallsAsText(calls))};
    }
  } else if (content == nullptr) {
    fields.Wrong("content", "a string or an array of parts", "none");
    return Refuse(*fields.Mistake());
  }
  if (role == "tool" || role == "function")
    return ChatMessage{.role = "user", .content = ResultAsText(name, text)};
  return ChatMessage{.role = role == "developer" ? "system" : role, .content = std::move(text)};
}

}  // namespace

Parsed<std::string> ReadContent(const Json* content_or_null, const std::string& where) {
  if (content_or_null == nullptr) return std::string();
  const Json& content = *content_or_null;
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) {
    return Refuse(
        BadField(where, fmt::format("{}: expected a string or an array of parts, found {}", where,
                                    KindOf(content))));
  }
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    Fields part(content[i], fmt::format("{}[{}]", where, i));
    std::string type;
    std::string piece;
    part.Read("type", &type);
    const bool is_text = type == "text" || type == "input_text" || type == "output_text";
    if (type == "image" || type == "image_url" || type == "input_image")
      part.Wrong("type", "text (image input is not supported by this model)", type);
    if (!is_text) part.Wrong("type", "text (this server reads no other parts)", type);
    if (!part.Has("text")) part.Wrong("text", "a string", "none");
    part.Read("text", &piece);
    if (!part.Good()) return Refuse(*part.Mistake());
    text = Joined(text, piece);
  }
  return text;
}

Parsed<std::vector<ChatMessage>> ReadMessages(const Json& messages, const std::string& where) {
  if (!messages.is_array() || messages.empty()) {
    return Refuse(BadField(
        where, fmt::format("{}: expected an array of at least one message, found {}", where,
                           messages.is_array() ? "an empty one" : KindOf(messages))));
  }
  std::vector<ChatMessage> read;
  for (size_t i = 0; i < messages.size(); ++i) {
    HW_API_TRY(ChatMessage message, ReadMessage(messages[i], fmt::format("{}[{}]", where, i)));
    read.push_back(std::move(message));
  }
  return read;
}

}  // namespace headway::server
