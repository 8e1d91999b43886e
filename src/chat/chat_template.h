#pragma once

// Conversations to prompts. The Jinja program that a model's file carries is run; what came out of
// messages, tools and variables never becomes a control token, however the program treats it: every
// byte of the prompt knows whether the template wrote it (docs/chat_templates.md).

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/messages.h"
#include "jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace headway::chat {

struct Request {
  jinja::Value messages;                        // from MessagesFromPairs or MessagesFromJson
  jinja::Value tools = jinja::Value::OfNone();  // a list of whatever the template expects
  jinja::Dict variables = {};                   // more that the template may read: enable_thinking
  bool add_generation_prompt = true;            // end where the assistant's answer begins
  std::optional<std::tm> now = {};              // what strftime_now tells; absent: the local time
  std::string answer_begins = {};               // the answer's first words, after all of that
};

// From JSON texts, empty where there are none: a list of tools and an object of variables. Errors:
// kInvalidInput, naming which.
Result<Request> MakeRequest(jinja::Value messages, std::string_view tools_json,
                            std::string_view variables_json);

struct RenderedChat {
  std::string text;
  std::vector<tokenizer::TextSpan> spans;  // in order, covering the text; trusted: the template's
};

class ChatTemplate {
 public:
  // The file's template, or the known format of a vocabulary without one. Errors: those of
  // jinja::Template::Parse; kUnsupported (no template, and no known format's control tokens).
  static Result<ChatTemplate> Create(const tokenizer::Tokenizer& tokenizer);
  // Another template in place of the file's.
  static Result<ChatTemplate> FromSource(std::string_view source,
                                         const tokenizer::Tokenizer& tokenizer);

  // Of a known format by its name in any case, without "-", "_" and spaces: "chatml", "llama3",
  // "gemma", "granite", "phi3", "phi4mini". Errors: kInvalidInput (no such name), naming all.
  static Result<ChatTemplate> FromName(std::string_view name,
                                       const tokenizer::Tokenizer& tokenizer);

  // Of a known format; empty for a template's own.
  const std::string& FormatName() const { return format_name_; }

  // Errors: those of jinja::Template::Render, after "chat template: ".
  Result<RenderedChat> Render(const Request& request) const;

  // The ids of the rendered prompt, begun with the beginning-of-text token where the file asks for
  // it and the template did not write it. `tokenizer` must be the one this was created with. Errors:
  // also kUnsupported (the template writes a marker <|like this|> that is no control token here).
  Result<std::vector<int32_t>> Encode(const Request& request,
                                      const tokenizer::Tokenizer& tokenizer) const;

  // <|markers|> that are no control tokens become text from now on, as some models learnt them.
  void AllowPlainMarkers() { allows_plain_markers_ = true; }

  // The control token that the template writes right after an assistant's answer.
  std::optional<int32_t> EndOfAnswer(const tokenizer::Tokenizer& tokenizer) const;

 private:
  ChatTemplate(jinja::Template program, std::string format_name, jinja::Dict tokens)
      : program_(std::move(program)),
        format_name_(std::move(format_name)),
        tokens_(std::move(tokens)) {}

  Result<jinja::Text> Run(const Request& request, const jinja::Value& messages) const;
  // Which form of content reaches the prompt.
  void ProbeContent();

  jinja::Template program_;
  std::string format_name_;
  jinja::Dict tokens_;  // bos_token, eos_token, ...
  bool reads_text_ = true;
  bool reads_parts_ = false;
  bool allows_plain_markers_ = false;
};

// `text` and its marks as the tokenizer takes them.
RenderedChat Spanned(const jinja::Text& text);

}  // namespace headway::chat
