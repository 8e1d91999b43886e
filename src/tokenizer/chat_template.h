#pragma once

// Chat prompts. A GGUF carries its chat template as a Jinja program; instead of running it, we
// recognise which family it belongs to by the markers it writes, and write those ourselves. Tools,
// dates and the default system prompts that some templates add are left out (docs/tokenizer.md
// lists the differences).
//
// What a user typed never becomes a marker: the result says which stretches are the template's own,
// and Tokenizer::EncodeChat looks for special tokens there only.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "headway/chat_message.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

enum class ChatFamily {
  kPhi4Mini,  // <|user|>content<|end|><|assistant|>
  kPhi3,      // <|user|>\ncontent<|end|>\n<|assistant|>\n
  kLlama3,    // <|start_header_id|>user<|end_header_id|>\n\ncontent<|eot_id|>
  kChatMl,    // <|im_start|>user\ncontent<|im_end|>\n
};

// Errors: kUnsupported for a template of another family or none, naming the families.
Result<ChatFamily> DetectChatFamily(std::string_view chat_template);

// A stretch of text. Special tokens are looked for in trusted spans only.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
  bool trusted = false;
};

struct RenderedChat {
  std::string text;
  std::vector<TextSpan> spans;       // in order, covering the text
  std::vector<std::string> markers;  // the special tokens the text relies on
};

// Errors: those of DetectChatFamily; kInvalidInput for another role, or no message.
Result<RenderedChat> RenderChatSpans(const Vocabulary& vocabulary,
                                     std::span<const ChatMessage> messages,
                                     bool add_generation_prompt);

// Only the text, to be shown. The beginning-of-text token is not part of it. Do not encode it: use
// EncodeChat.
Result<std::string> RenderChat(const Vocabulary& vocabulary, std::span<const ChatMessage> messages,
                               bool add_generation_prompt);

}  // namespace headway::tokenizer
