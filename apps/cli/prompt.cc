#include "prompt.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/file_writer.h"
#include "base/quoted.h"
#include "numbers.h"

namespace headway::cli {
namespace {

Result<std::string> ReadStdin() {
  std::string text;
  std::array<char, 65536> piece{};
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), stdin)) {
    text.append(piece.data(), count);
    if (text.size() > kMaxPromptBytes) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("stdin: expected a text of at most {} bytes, found more", kMaxPromptBytes));
    }
  }
  if (std::ferror(stdin) != 0)
    return Fail(ErrorCode::kIo, fmt::format("stdin: cannot read: {}", std::strerror(errno)));
  return text;
}

}  // namespace

Result<Prompt> ReadPrompt(const RunArguments& arguments) {
  const int given =
      (arguments.prompt ? 1 : 0) + (arguments.prompt_file ? 1 : 0) + (arguments.ids ? 1 : 0);
  if (given != 1) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("prompt: expected exactly one of -p, --prompt-file and --ids, found {}",
                            given == 0 ? "none" : fmt::format("{}", given)));
  }
  if (arguments.chat && arguments.ids)
    return Fail(ErrorCode::kInvalidInput, "--chat: expected a prompt of text, found --ids");
  if (!arguments.chat && !arguments.system.empty()) {
    return Fail(ErrorCode::kInvalidInput, "--system: expected --chat beside it, found none");
  }
  if (arguments.special && (arguments.chat || arguments.ids)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--special: expected a prompt of text without {}, found it",
                            arguments.chat ? "--chat" : "--ids"));
  }
  Prompt prompt;
  if (arguments.prompt) prompt.text = *arguments.prompt;
  if (arguments.ids) {
    HW_TRY(prompt.ids, ParseIds(*arguments.ids, "--ids"));
  }
  if (arguments.prompt_file) {
    HW_TRY(prompt.text, ReadFileOrStdin(*arguments.prompt_file));
  }
  return prompt;
}

Result<std::string> ReadFileOrStdin(const std::string& file) {
  return file == "-" ? ReadStdin() : ReadTextFile(file, kMaxPromptBytes);
}

Result<std::string> ReadUsage(const std::string& file) {
  if (file.empty()) return std::string();
  return ReadTextFile(file, kMaxPromptBytes);
}

Result<void> EncodePrompt(const RunArguments& arguments, const Engine& engine, Prompt* prompt) {
  if (arguments.ids) return {};
  if (arguments.chat) {
    std::vector<ChatMessage> messages;
    if (!arguments.system.empty())
      messages.push_back({.role = "system", .content = arguments.system});
    messages.push_back({.role = "user", .content = prompt->text});
    HW_TRY(prompt->ids, engine.EncodeChat(messages));
    return {};
  }
  HW_TRY(prompt->ids, engine.Encode(prompt->text, arguments.special));
  const auto spelled = arguments.special ? std::nullopt : engine.SpelledSpecialToken(prompt->text);
  if (spelled) {
    std::fprintf(stderr,
                 "headway: the prompt spells the special token %s, read as text (--special)\n",
                 Quoted(*spelled).c_str());
  }
  if (!prompt->ids.empty()) return {};
  return Fail(ErrorCode::kInvalidInput,
              "prompt: expected some text, found none, and this model has no beginning-of-text "
              "token to start from");
}

}  // namespace headway::cli
