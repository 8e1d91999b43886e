#include <fmt/format.h>

#include <algorithm>

#include "server/chat_request.h"

namespace headway::server {
namespace {

// Blocks of a message: text, calls that the assistant made, and what came of them.
Parsed<ChatMessage> ReadBlocks(const std::string& role, const Json& blocks,
                               const std::string& where) {
  ChatMessage message{.role = role, .content = {}};
  std::vector<ToolCall> calls;
  const auto add = [&](const std::string& text) {
    if (!message.content.empty() && !text.empty()) message.content += "\n";
    message.content += text;
  };
  for (size_t i = 0; i < blocks.size(); ++i) {
    Fields block(blocks[i], fmt::format("{}[{}]", where, i));
    std::string type;
    std::string text;
    block.Read("type", &type);
    if (type == "text") {
      if (!block.Has("text")) block.Wrong("text", "a string", "none");
      block.Read("text", &text);
      add(text);
    } else if (type == "tool_use") {
      block.Read("name", &text);
      const Json* const input = block.Find("input");
      calls.push_back({.name = text, .arguments = input == nullptr ? Json::object() : *input});
    } else if (type == "tool_result") {
      HW_API_TRY(const std::string result,
                 ReadContent(block.Find("content"), block.PathOf("content")));
      add(ResultAsText("", result));
    } else if (type == "image" || type == "document") {
      block.Wrong("type", "text (image input is not supported by this model)", type);
    } else if (type != "thinking" && type != "redacted_thinking") {  // those are not read again
      block.Wrong("type", "text, tool_use, tool_result or thinking (this server reads no others)",
                  type.empty() ? "none" : type);
    }
    if (!block.Good()) return Refuse(*block.Mistake());
  }
  if (!calls.empty()) add(CallsAsText(calls));
  return message;
}

Parsed<std::vector<ChatMessage>> ReadAnthropicMessages(const Json& list) {
  if (!list.is_array() || list.empty()) {
    return Refuse(BadField("messages",
                           "messages: expected an array of at least one message, found "
                           "none"));
  }
  std::vector<ChatMessage> messages;
  for (size_t i = 0; i < list.size(); ++i) {
    Fields fields(list[i], fmt::format("messages[{}]", i));
    std::string role;
    fields.Read("role", &role);
    if (role != "user" && role != "assistant")
      fields.Wrong("role", "user or assistant", role.empty() ? "none" : role);
    const Json* const content = fields.Find("content");
    if (content == nullptr) fields.Wrong("content", "a string or an array of blocks", "none");
    if (!fields.Good()) return Refuse(*fields.Mistake());
    if (content->is_array()) {
      HW_API_TRY(ChatMessage message, ReadBlocks(role, *content, fields.PathOf("content")));
      messages.push_back(std::move(message));
    } else {
      HW_API_TRY(std::string text, ReadContent(content, fields.PathOf("content")));
      messages.push_back({.role = role, .content = std::move(text)});
    }
  }
  return messages;
}

bool EndsWithCalls(const Json& messages) {
  const Fields last(messages.back());
  const Json* const blocks = last.Find("content");
  if (blocks == nullptr || !blocks->is_array()) return false;
  return std::any_of(blocks->begin(), blocks->end(), [](const Json& block) {
    return block.is_object() && block.contains("type") && block["type"] == "tool_use";
  });
}

// [{"name", "description", "input_schema"}] and {"type": "auto" | "any" | "tool" | "none"}.
void ReadAnthropicTools(Fields* fields, Tools* tools) {
  if (const Json* const list = fields->Find("tools"); list != nullptr) {
    if (!list->is_array()) return fields->Wrong("tools", "an array", KindOf(*list));
    for (size_t i = 0; i < list->size(); ++i) {
      Fields one((*list)[i], fmt::format("tools[{}]", i));
      Tool tool{.name = {}, .description = {}, .parameters = Json{{"type", "object"}}};
      one.Read("name", &tool.name);
      one.Read("description", &tool.description);
      if (tool.name.empty()) one.Wrong("name", "a name", "none");
      if (const Json* const schema = one.Find("input_schema"); schema != nullptr) {
        if (!schema->is_object()) one.Wrong("input_schema", "a JSON schema", KindOf(*schema));
        tool.parameters = *schema;
      }
      if (!one.Good()) return fields->Wrong(*one.Mistake());
      tools->list.push_back(std::move(tool));
    }
  }
  if (const Json* const choice = fields->Find("tool_choice"); choice != nullptr) {
    Fields one(*choice, "tool_choice");
    std::string type;
    bool serial = false;
    one.Read("type", &type);
    one.Read("disable_parallel_tool_use", &serial);
    tools->parallel = !serial;
    if (type == "tool") one.Read("name", &tools->only);
    if (type == "any" || type == "tool") {
      tools->choice = Tools::Choice::kRequired;
    } else if (type == "none") {
      tools->choice = Tools::Choice::kNone;
    } else if (type != "auto" && one.Good()) {
      one.Wrong("type", "auto, any, tool or none", type.empty() ? "nothing" : type);
    }
    if (!one.Good()) return fields->Wrong(*one.Mistake());
  }
  CheckToolChoice(fields, tools);
}

}  // namespace

Parsed<ChatRequest> ParseMessagesRequest(const Json& body, bool needs_max_tokens) {
  Fields fields(body);
  ChatRequest request;
  GenerationOptions& options = request.options;
  options.sampling.temperature = 1.0F;
  fields.Read("stream", &options.stream);
  ReadSampling(&fields, &options);
  ReadStops(&fields, "stop_sequences", &options.stop);
  ReadAnthropicTools(&fields, &request.tools);
  if (needs_max_tokens && !fields.Has("max_tokens"))
    fields.Wrong("max_tokens", "a number of tokens", "none");
  fields.Read("max_tokens", &options.max_tokens, 0, int64_t{1} << 31);
  if (!fields.Has("messages")) fields.Wrong("messages", "an array of messages", "none");
  if (!fields.Good()) return Refuse(*fields.Mistake());
  HW_API_TRY(request.messages, ReadAnthropicMessages(*fields.Find("messages")));
  ReadTurns(&fields, EndsWithCalls(*fields.Find("messages")), &request);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  HW_API_TRY(std::string system, ReadContent(fields.Find("system"), "system"));
  if (!system.empty()) {
    request.messages.insert(request.messages.begin(),
                            {.role = "system", .content = std::move(system)});
  }
  return request;
}

}  // namespace headway::server
