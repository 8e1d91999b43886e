#include "chat/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/quoted.h"
#include "chat/json_values.h"

namespace headway::chat {
namespace {

using jinja::Dict;
using jinja::List;
using jinja::Text;
using jinja::Value;

constexpr std::string_view kRoles[] = {"system", "developer", "user",    "assistant",
                                       "tool",   "function",  "ipython", "model"};

tl::unexpected<Error> Mistake(size_t message, const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, fmt::format("chat: message {}: {}", message, what));
}

// Templates build control tokens from roles ('<|' + role + '|>'), so the known ones are theirs.
// Another name is text like any other, and what is no name is refused.
Result<Value> RoleValue(std::string_view role, size_t message) {
  constexpr size_t kLongestRole = 40;
  const bool known = std::find(std::begin(kRoles), std::end(kRoles), role) != std::end(kRoles);
  const bool is_name = !role.empty() && role.size() <= kLongestRole &&
                       std::all_of(role.begin(), role.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_' || c == '-';
                       });
  if (!is_name)
    return Mistake(message,
                   fmt::format("expected a role such as system, user or assistant, found '{}'",
                               PrintableWords(role)));
  return Value::Of(Text(std::string(role), !known));
}

// Keys that templates know are theirs, so that what they print of a message's shape is trusted
// alike everywhere.
Dict MessageOf(Value role, Value content) {
  Dict dict;
  dict.Set("role", std::move(role));
  dict.Set("content", std::move(content));
  return dict;
}

Result<void> CheckParts(const Value& parts, size_t message) {
  for (const Value& part : parts.list().items) {
    const Value* type = part.Is(Value::Kind::kDict) ? part.dict().Find("type") : nullptr;
    if (type == nullptr || !type->IsString())
      return Mistake(message, "expected parts of content with a type, found another thing");
    if (type->bytes() != "text") {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("chat: message {}: expected parts of the type text, found '{}'",
                              message, PrintableWords(type->bytes())));
    }
    const Value* text = part.dict().Find("text");
    if (text == nullptr || !text->IsString())
      return Mistake(message, "expected a part of the type text with a text, found none");
  }
  return {};
}

Result<Value> CheckedMessage(const Value& message, size_t index) {
  if (!message.Is(Value::Kind::kDict))
    return Mistake(index, fmt::format("expected an object, found {}", message.TypeName()));
  const Value* role = message.dict().Find("role");
  if (role == nullptr || !role->IsString()) return Mistake(index, "expected a role, found none");
  Dict checked = message.dict();
  HW_TRY(Value role_value, RoleValue(role->bytes(), index));
  checked.Set("role", std::move(role_value));
  const Value* content = message.dict().Find("content");
  if (content == nullptr || content->Is(Value::Kind::kNone) || content->IsString())
    return Value::Of(std::move(checked));
  if (!content->Is(Value::Kind::kList))
    return Mistake(index,
                   fmt::format("expected content that is a string or a list of parts, found {}",
                               content->TypeName()));
  HW_TRY_VOID(CheckParts(*content, index));
  return Value::Of(std::move(checked));
}

// Every message with its content changed by `change`, which may leave it.
template <class Change>
Value WithContent(const Value& messages, const Change& change) {
  List list;
  for (const Value& message : messages.list().items) {
    Dict dict = message.dict();
    if (const Value* content = dict.Find("content")) dict.Set("content", change(*content));
    list.items.push_back(Value::Of(std::move(dict)));
  }
  return Value::Of(std::move(list));
}

Value CallWithObject(const Value& call) {
  if (!call.Is(Value::Kind::kDict)) return call;
  Dict changed = call.dict();
  if (const Value* function = changed.Find("function"); function != nullptr)
    changed.Set("function", CallWithObject(Value(*function)));
  const Value* arguments = changed.Find("arguments");
  if (arguments != nullptr && arguments->IsString()) {
    const auto object = ValueFromJson(arguments->bytes());
    if (object && object->Is(Value::Kind::kDict)) changed.Set("arguments", *object);
  }
  return Value::Of(std::move(changed));
}

}  // namespace

Result<Value> MessagesFromPairs(std::span<const Message> messages) {
  if (messages.empty())
    return Fail(ErrorCode::kInvalidInput, "chat: expected at least one message, found none");
  List list;
  for (size_t i = 0; i < messages.size(); ++i) {
    HW_TRY(Value role, RoleValue(messages[i].role, i));
    list.items.push_back(
        Value::Of(MessageOf(std::move(role), Value::Of(Text(messages[i].content, true)))));
  }
  return Value::Of(std::move(list));
}

Result<Value> MessagesFromJson(std::string_view json) {
  const auto parsed = ValueFromJson(json);
  if (!parsed) return Prefixed(parsed.error(), "messages");
  const Value& value = *parsed;
  if (!value.Is(Value::Kind::kList) || value.list().items.empty())
    return Fail(ErrorCode::kInvalidInput, "chat: expected a list of messages, found another thing");
  List list;
  for (size_t i = 0; i < value.list().items.size(); ++i) {
    HW_TRY(Value message, CheckedMessage(value.list().items[i], i));
    list.items.push_back(std::move(message));
  }
  return Value::Of(std::move(list));
}

Value WithContentAsParts(const Value& messages) {
  return WithContent(messages, [](const Value& content) {
    if (!content.IsString()) return content;
    Dict part;
    part.Set("type", Value::Of("text"));
    part.Set("text", content);
    return Value::Of(List{.items = {Value::Of(std::move(part))}});
  });
}

Value WithContentAsText(const Value& messages) {
  return WithContent(messages, [](const Value& content) {
    if (!content.Is(Value::Kind::kList)) return content;
    Text text;
    const std::vector<Value>& parts = content.list().items;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) text.Append("\n", true);
      text.Append(parts[i].dict().Find("text")->text());
    }
    return Value::Of(std::move(text));
  });
}

Value WithArgumentsAsObjects(const Value& messages) {
  List list;
  for (const Value& message : messages.list().items) {
    const Value* calls = message.dict().Find("tool_calls");
    if (calls == nullptr || !calls->Is(Value::Kind::kList)) {
      list.items.push_back(message);
      continue;
    }
    List changed;
    for (const Value& call : calls->list().items) changed.items.push_back(CallWithObject(call));
    Dict dict = message.dict();
    dict.Set("tool_calls", Value::Of(std::move(changed)));
    list.items.push_back(Value::Of(std::move(dict)));
  }
  return Value::Of(std::move(list));
}

}  // namespace headway::chat
