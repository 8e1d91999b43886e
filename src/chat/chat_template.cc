#include "chat/chat_template.h"

#include <fmt/format.h>

#include <utility>

#include "base/quoted.h"
#include "chat/json_values.h"
#include "chat/known_formats.h"

namespace headway::chat {
namespace {

using jinja::Dict;
using jinja::Text;
using jinja::Value;

constexpr std::string_view kProbe = "probe of content";

std::tm LocalTime() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return local;
}

// As Hugging Face hands them over: names for the special tokens a vocabulary has.
Dict TokenVariables(const tokenizer::Vocabulary& vocabulary) {
  Dict variables;
  const auto add = [&](std::string_view name, std::optional<int32_t> id) {
    if (!id) return;
    variables.Set(name, Value::Of(Text(vocabulary.tokens[static_cast<size_t>(*id)])));
  };
  add("bos_token", vocabulary.bos_id);
  add("eos_token", vocabulary.eos_id);
  add("unk_token", vocabulary.unknown_id);
  add("pad_token", vocabulary.padding_id);
  // Templates write {{ bos_token }} whether or not there is one.
  for (const std::string_view name : {"bos_token", "eos_token"}) {
    if (variables.Find(name) == nullptr) variables.Set(name, Value::Of(Text()));
  }
  return variables;
}

Result<Value> ProbeMessages() {
  const Message message = {.role = "user", .content = std::string(kProbe)};
  return MessagesFromPairs(std::span(&message, 1));
}

// <|markers|> that the template wrote must be control tokens, or the model would read them letter by
// letter without a word from us.
Result<void> CheckMarkers(const RenderedChat& chat, const tokenizer::Tokenizer& tokenizer) {
  for (const tokenizer::TextSpan& span : chat.spans) {
    if (!span.trusted) continue;
    const std::string_view text = std::string_view(chat.text).substr(0, span.end);
    for (size_t at = text.find("<|", span.begin); at != std::string_view::npos;
         at = text.find("<|", at + 1)) {
      const size_t end = text.find_first_of("<>| \t\n", at + 2);
      if (end == std::string_view::npos || end == at + 2 || text.substr(end, 2) != "|>") continue;
      const std::string_view marker = text.substr(at, end + 2 - at);
      const auto id = tokenizer.FindToken(marker);
      if (id && (tokenizer.vocabulary().IsSpecial(*id) ||
                 tokenizer.vocabulary().Type(*id) == tokenizer::TokenType::kUserDefined))
        continue;
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("chat template: expected the special token '{}' in the vocabulary, "
                              "found {}",
                              PrintableWords(marker), id ? "an ordinary token" : "none"));
    }
  }
  return {};
}

}  // namespace

Result<Request> MakeRequest(Value messages, std::string_view tools_json,
                            std::string_view variables_json) {
  Request request{.messages = std::move(messages)};
  if (!tools_json.empty()) {
    auto tools = ValueFromJson(tools_json);
    if (!tools) return Prefixed(tools.error(), "tools");
    if (!tools->Is(Value::Kind::kList))
      return Fail(ErrorCode::kInvalidInput, "tools: expected a JSON list, found another value");
    request.tools = *std::move(tools);
  }
  if (!variables_json.empty()) {
    auto variables = ValueFromJson(variables_json);
    if (!variables) return Prefixed(variables.error(), "variables of the chat template");
    if (!variables->Is(Value::Kind::kDict))
      return Fail(ErrorCode::kInvalidInput,
                  "variables of the chat template: expected a JSON object, found another value");
    request.variables = variables->dict();
    for (const std::string_view taken : {"messages", "tools", "add_generation_prompt"}) {
      if (request.variables.Find(taken) == nullptr) continue;
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("variables of the chat template: expected none called '{}', which is "
                              "given otherwise, found one",
                              taken));
    }
  }
  return request;
}

RenderedChat Spanned(const Text& text) {
  RenderedChat chat{.text = text.bytes(), .spans = {}};
  size_t done = 0;
  const auto add = [&](size_t end, bool trusted) {
    if (end > done) chat.spans.push_back({done, end, trusted});
    done = end;
  };
  for (const jinja::ByteSpan& foreign : text.ForeignSpans()) {
    add(foreign.begin, true);
    add(foreign.end, false);
  }
  add(chat.text.size(), true);
  return chat;
}

Result<ChatTemplate> ChatTemplate::FromSource(std::string_view source,
                                              const tokenizer::Tokenizer& tokenizer) {
  auto program = jinja::Template::Parse(source);
  if (!program) return Prefixed(program.error(), "chat template");
  ChatTemplate result(*std::move(program), "", TokenVariables(tokenizer.vocabulary()));
  result.ProbeContent();
  return result;
}

Result<ChatTemplate> ChatTemplate::Create(const tokenizer::Tokenizer& tokenizer) {
  const std::string& source = tokenizer.vocabulary().chat_template;
  if (!source.empty()) return FromSource(source, tokenizer);
  const auto format = FormatOf(tokenizer);
  if (!format) {
    return Fail(
        ErrorCode::kUnsupported,
        "chat: expected a chat template in the model's file (tokenizer.chat_template), or the "
        "control tokens of a known format (ChatML, Llama 3, Gemma, Granite, Phi), found "
        "neither");
  }
  HW_TRY(ChatTemplate result, FromSource(format->source, tokenizer));
  result.format_name_ = format->name;
  return result;
}

Result<ChatTemplate> ChatTemplate::FromName(std::string_view name,
                                            const tokenizer::Tokenizer& tokenizer) {
  HW_TRY(const KnownFormat format, FormatNamed(name));
  HW_TRY(ChatTemplate result, FromSource(format.source, tokenizer));
  result.format_name_ = format.name;
  return result;
}

Result<Text> ChatTemplate::Run(const Request& request, const Value& messages) const {
  Dict variables = tokens_;
  variables.Set("messages", messages);
  variables.Set("tools", request.tools);
  variables.Set("documents", Value::OfNone());
  variables.Set("add_generation_prompt", Value::Of(request.add_generation_prompt));
  for (const auto& [name, value] : request.variables.entries) variables.Set(name, value);
  auto text = program_.Render(variables, request.now ? *request.now : LocalTime());
  if (!text) return Prefixed(text.error(), "chat template");
  return text;
}

void ChatTemplate::ProbeContent() {
  const auto messages = ProbeMessages();
  if (!messages) return;
  Request request{.messages = *messages};
  const auto reads = [&](const Value& form) {
    const auto text = Run(request, form);
    if (!text || text->bytes().find(kProbe) == std::string::npos) return false;
    // A list that is printed as such was not read.
    return text->bytes().find("'text'") == std::string::npos &&
           text->bytes().find("\"text\"") == std::string::npos;
  };
  reads_text_ = reads(*messages);
  reads_parts_ = reads(WithContentAsParts(*messages));
}

Result<RenderedChat> ChatTemplate::Render(const Request& request) const {
  Value messages = request.messages;
  if (!reads_parts_) messages = WithContentAsText(messages);
  if (reads_parts_ && !reads_text_) messages = WithContentAsParts(messages);
  // Most templates want the arguments of tool calls as objects, some as the JSON text they came in.
  auto text = Run(request, WithArgumentsAsObjects(messages));
  if (!text) {
    if (auto again = Run(request, messages)) text = std::move(again);
  }
  if (!text) return tl::unexpected<Error>(text.error());
  RenderedChat chat = Spanned(*text);
  if (!request.answer_begins.empty()) {
    const size_t begin = chat.text.size();
    chat.text += request.answer_begins;
    chat.spans.push_back({begin, chat.text.size(), false});
  }
  return chat;
}

Result<std::vector<int32_t>> ChatTemplate::Encode(const Request& request,
                                                  const tokenizer::Tokenizer& tokenizer) const {
  HW_TRY(const RenderedChat chat, Render(request));
  if (!allows_plain_markers_) HW_TRY_VOID(CheckMarkers(chat, tokenizer));
  HW_TRY(std::vector<int32_t> ids, tokenizer.EncodeSpans(chat.text, chat.spans, false));
  const tokenizer::Vocabulary& vocabulary = tokenizer.vocabulary();
  const bool begins = !ids.empty() && ids.front() == vocabulary.bos_id;
  if (vocabulary.bos_id && vocabulary.add_bos && !begins)
    ids.insert(ids.begin(), *vocabulary.bos_id);
  return ids;
}

std::optional<int32_t> ChatTemplate::EndOfAnswer(const tokenizer::Tokenizer& tokenizer) const {
  const Message messages[] = {{.role = "user", .content = "question"},
                              {.role = "assistant", .content = std::string(kProbe)}};
  const auto pairs = MessagesFromPairs(messages);
  if (!pairs) return std::nullopt;
  const auto chat = Render({.messages = *pairs, .add_generation_prompt = false});
  if (!chat) return std::nullopt;
  size_t end = chat->text.rfind(kProbe);
  if (end == std::string::npos) return std::nullopt;
  end += kProbe.size();
  const size_t mark = chat->text.find_first_not_of(" \n", end);
  if (mark == std::string::npos) return std::nullopt;
  const tokenizer::TextSpan rest = {0, chat->text.size() - mark, true};
  const auto ids =
      tokenizer.EncodeSpans(std::string_view(chat->text).substr(mark), std::span(&rest, 1), false);
  if (!ids || ids->empty() || ids->front() == tokenizer.vocabulary().bos_id) return std::nullopt;
  // Of those that steer the model only.
  return tokenizer.vocabulary().IsSpecial(ids->front()) ? std::optional(ids->front())
                                                        : std::nullopt;
}

}  // namespace headway::chat
