#include "tokenizer/chat_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace headway::tokenizer {
namespace {

// How one family writes a message: opening + role + opening_end + content + closing.
struct Style {
  std::string_view opening;
  std::string_view opening_end;
  std::string_view closing;
  bool role_is_marker;  // opening, role and opening_end form one token together
  bool trims_content;
};

Style StyleOf(ChatFamily family) {
  switch (family) {
    case ChatFamily::kPhi4Mini:
      return {"<|", "|>", "<|end|>", true, false};
    case ChatFamily::kPhi3:
      return {"<|", "|>\n", "<|end|>\n", true, false};
    case ChatFamily::kLlama3:
      return {"<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", false, true};
    case ChatFamily::kChatMl:
      return {"<|im_start|>", "\n", "<|im_end|>\n", false, false};
  }
  return {};
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// As Jinja's trim filter, which is Python's str.strip(), on ASCII white space.
std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

class ChatWriter {
 public:
  ChatWriter(const Style& style, RenderedChat* chat) : style_(style), chat_(chat) {}

  void Open(std::string_view role) {
    const std::string opening = fmt::format("{}{}{}", style_.opening, role, style_.opening_end);
    Append(opening, true);
    if (style_.role_is_marker) {
      AddMarkers(opening);
    } else {
      AddMarkers(style_.opening);
      AddMarkers(style_.opening_end);
    }
  }
  void Content(std::string_view content) {
    Append(style_.trims_content ? Trim(content) : content, false);
  }
  void Close() { Template(style_.closing); }
  void Template(std::string_view text) {
    Append(text, true);
    AddMarkers(text);
  }

 private:
  void Append(std::string_view text, bool trusted) {
    if (text.empty()) return;
    const size_t begin = chat_->text.size();
    chat_->text += text;
    chat_->spans.push_back({begin, chat_->text.size(), trusted});
  }
  // Notes the marker that `text` is, but for line breaks around it.
  void AddMarkers(std::string_view text) {
    const std::string marker(Trim(text));
    auto& markers = chat_->markers;
    if (marker.empty() || std::find(markers.begin(), markers.end(), marker) != markers.end())
      return;
    markers.push_back(marker);
  }

  Style style_;
  RenderedChat* chat_;
};

}  // namespace

Result<ChatFamily> DetectChatFamily(std::string_view chat_template) {
  const auto has = [&](std::string_view part) { return Contains(chat_template, part); };
  // <|im_sep|>: Phi-4 (14B) puts it after the role, which is not ChatML.
  if (has("<|im_start|>") && !has("<|im_sep|>")) return ChatFamily::kChatMl;
  if (has("<|start_header_id|>") && has("<|end_header_id|>")) return ChatFamily::kLlama3;
  if (has("<|assistant|>") && has("<|end|>")) {
    // In Jinja source a line break is written \n inside a string, or stands there itself.
    const bool breaks_lines = has("<|end|>\\n") || has("<|end|>\n");
    return breaks_lines ? ChatFamily::kPhi3 : ChatFamily::kPhi4Mini;
  }
  const std::string found =
      chat_template.empty() ? "none" : fmt::format("'{}...'", chat_template.substr(0, 60));
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format(
          "tokenizer: chat template: expected one of the families Phi-4-mini, Phi-3, Llama-3, "
          "ChatML; found {}",
          found));
}

Result<RenderedChat> RenderChatSpans(const Vocabulary& vocabulary,
                                     std::span<const ChatMessage> messages,
                                     bool add_generation_prompt) {
  HW_TRY(const ChatFamily family, DetectChatFamily(vocabulary.chat_template));
  if (messages.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "tokenizer: chat: expected at least one message, found none");
  }
  constexpr std::array<std::string_view, 3> kRoles = {"system", "user", "assistant"};
  RenderedChat chat;
  ChatWriter writer(StyleOf(family), &chat);
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("tokenizer: chat: message {}: expected the role system, user or assistant, "
                      "found '{}'",
                      i, message.role));
    }
    writer.Open(message.role);
    writer.Content(message.content);
    writer.Close();
  }
  if (add_generation_prompt) {
    writer.Open("assistant");
  } else if (Contains(vocabulary.chat_template, "eos_token") && vocabulary.eos_id) {
    // Both Phi templates end a finished conversation with {{ eos_token }}.
    writer.Template(vocabulary.tokens[static_cast<size_t>(*vocabulary.eos_id)]);
  }
  return chat;
}

Result<std::string> RenderChat(const Vocabulary& vocabulary, std::span<const ChatMessage> messages,
                               bool add_generation_prompt) {
  HW_TRY(RenderedChat chat, RenderChatSpans(vocabulary, messages, add_generation_prompt));
  return std::move(chat.text);
}

}  // namespace headway::tokenizer
