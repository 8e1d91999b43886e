#pragma once

// A conversation as templates see it: a list of dicts with a role and a content, as in OpenAI's chat
// API.

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "headway/chat_message.h"
#include "jinja/value.h"

namespace headway::chat {

using Message = ChatMessage;

// Errors: kInvalidInput (no message, a role that is no name), saying which message.
Result<jinja::Value> MessagesFromPairs(std::span<const Message> messages);

// A JSON list of objects with "role", and "content" (a string, null, or a list of
// {"type": "text", "text": ...}), "tool_calls" and whatever else the template reads. Errors:
// kInvalidInput, saying which message; kUnsupported (parts that are no text).
Result<jinja::Value> MessagesFromJson(std::string_view json);

// The same conversations in the forms that templates differ about.
jinja::Value WithContentAsParts(const jinja::Value& messages);      // "text" -> [{type, text}]
jinja::Value WithContentAsText(const jinja::Value& messages);       // the other way, lines apart
jinja::Value WithArgumentsAsObjects(const jinja::Value& messages);  // of tool calls: JSON is read

}  // namespace headway::chat
