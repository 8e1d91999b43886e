#include "prompt.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/notice.h"
#include "base/quoted.h"
#include "input.h"
#include "numbers.h"

namespace headway::cli {
namespace {

Result<void> CheckChatFlags(const RunArguments& arguments) {
  const std::pair<const char*, bool> flags[] = {
      {"--system", !arguments.system.empty()},
      {"--messages", arguments.messages_file.has_value()},
      {"--tools", !arguments.tools_file.empty()},
      {"--chat-template", !arguments.chat_template_file.empty()},
      {"--chat-template-kwargs", !arguments.chat_variables.empty()}};
  for (const auto& [flag, given] : flags) {
    if (!given || arguments.chat) continue;
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected --chat beside it, found none", flag));
  }
  if (arguments.messages_file && !arguments.system.empty())
    return Fail(ErrorCode::kInvalidInput,
                "--system: expected it among the messages of --messages, found both flags");
  return {};
}

Result<ChatOptions> ReadChatOptions(const RunArguments& arguments) {
  ChatOptions options;
  options.variables_json = arguments.chat_variables;
  if (!arguments.tools_file.empty()) {
    HW_TRY(options.tools_json, ReadInput(arguments.tools_file, kMaxPromptBytes));
  }
  if (!arguments.chat_template_file.empty()) {
    HW_TRY(options.chat_template, ReadInput(arguments.chat_template_file, kMaxPromptBytes));
    if (options.chat_template.empty())
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("{}: expected a chat template, found nothing", arguments.chat_template_file));
  }
  return options;
}

}  // namespace

Result<Prompt> ReadPrompt(const RunArguments& arguments) {
  const int given = (arguments.prompt ? 1 : 0) + (arguments.prompt_file ? 1 : 0) +
                    (arguments.ids ? 1 : 0) + (arguments.messages_file ? 1 : 0);
  if (given != 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "prompt: expected exactly one of -p, --prompt-file, --ids and --messages, found {}",
            given == 0 ? "none" : fmt::format("{}", given)));
  }
  if (arguments.chat && arguments.ids)
    return Fail(ErrorCode::kInvalidInput, "--chat: expected a prompt of text, found --ids");
  if (arguments.special && (arguments.chat || arguments.ids)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--special: expected a prompt of text without {}, found it",
                            arguments.chat ? "--chat" : "--ids"));
  }
  HW_TRY_VOID(CheckChatFlags(arguments));
  Prompt prompt;
  HW_TRY(prompt.chat, ReadChatOptions(arguments));
  if (arguments.messages_file) {
    HW_TRY(prompt.messages, ReadInput(*arguments.messages_file, kMaxPromptBytes));
  }
  if (arguments.prompt) prompt.text = *arguments.prompt;
  if (arguments.ids) {
    HW_TRY(prompt.ids, ParseIds(*arguments.ids, "--ids"));
  }
  if (arguments.prompt_file) {
    HW_TRY(prompt.text, ReadInput(*arguments.prompt_file, kMaxPromptBytes));
  }
  return prompt;
}

Result<std::string> ReadUsage(const std::string& file) {
  if (file.empty()) return std::string();
  return ReadInput(file, kMaxPromptBytes);
}

Result<void> EncodePrompt(const RunArguments& arguments, const Engine& engine, Prompt* prompt) {
  if (arguments.ids) return {};
  if (arguments.messages_file) {
    HW_TRY(prompt->ids, engine.EncodeChatJson(prompt->messages, prompt->chat));
    return {};
  }
  if (arguments.chat) {
    std::vector<ChatMessage> messages;
    if (!arguments.system.empty())
      messages.push_back({.role = "system", .content = arguments.system});
    messages.push_back({.role = "user", .content = prompt->text});
    HW_TRY(prompt->ids, engine.EncodeChat(messages, prompt->chat));
    return {};
  }
  HW_TRY(prompt->ids, engine.Encode(prompt->text, arguments.special));
  const auto spelled = arguments.special ? std::nullopt : engine.SpelledSpecialToken(prompt->text);
  if (spelled) {
    Notice(
        fmt::format("headway: the prompt spells the special token {}, read as text (--special)\n",
                    Quoted(*spelled)));
  }
  if (!prompt->ids.empty()) return {};
  return Fail(ErrorCode::kInvalidInput,
              "prompt: expected some text, found none, and this model has no beginning-of-text "
              "token to start from");
}

}  // namespace headway::cli
