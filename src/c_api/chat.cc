// Conversations: as ids and as the text that they are made of.

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "chat/chat_template.h"

namespace headway::c_api {
namespace {

// What is rendered, by a program of this call or, where that is absent, the model's.
struct Rendering {
  std::optional<chat::ChatTemplate> own = {};
  chat::Request request = {};
};

Result<std::optional<chat::ChatTemplate>> OwnTemplate(const headway_chat_options& given,
                                                      const tokenizer::Tokenizer& tokenizer) {
  const std::string source = TextOrEmpty(given.chat_template);
  const std::string format = TextOrEmpty(given.chat_format);
  const bool plain_markers = given.allow_plain_markers != 0;
  if (!source.empty() && !format.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "chat options: expected a chat_template or a chat_format, found both");
  }
  if (source.empty() && format.empty() && !plain_markers)
    return std::optional<chat::ChatTemplate>();
  const auto parse = [&] {
    if (!source.empty()) return chat::ChatTemplate::FromSource(source, tokenizer);
    if (!format.empty()) return chat::ChatTemplate::FromName(format, tokenizer);
    return chat::ChatTemplate::Create(tokenizer);
  };
  HW_TRY(chat::ChatTemplate own, parse());
  if (plain_markers) own.AllowPlainMarkers();
  return std::optional<chat::ChatTemplate>(std::move(own));
}

Result<Rendering> ReadChat(const OpenedModel& model, const char* messages_json,
                           const headway_chat_options* options_or_null) {
  HW_TRY_VOID(CheckGiven(messages_json, "messages"));
  HW_TRY(const headway_chat_options given, ReadStruct(options_or_null, "chat options"));
  if (given.reserved_too != 0)
    return Fail(ErrorCode::kInvalidInput, "chat options: reserved_too: expected 0");
  HW_TRY(jinja::Value messages, chat::MessagesFromJson(messages_json));
  Rendering rendering;
  HW_TRY(rendering.request, chat::MakeRequest(std::move(messages), TextOrEmpty(given.tools_json),
                                              TextOrEmpty(given.variables_json)));
  rendering.request.add_generation_prompt = given.no_generation_prompt == 0;
  rendering.request.answer_begins = TextOrEmpty(given.answer_begins);
  HW_TRY(rendering.own, OwnTemplate(given, *model.tokenizer));
  if (!rendering.own && !*model.chat) return tl::unexpected<Error>(model.chat->error());
  return rendering;
}

const chat::ChatTemplate& ProgramOf(const Rendering& rendering, const OpenedModel& model) {
  return rendering.own ? *rendering.own : **model.chat;
}

}  // namespace
}  // namespace headway::c_api

using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_tokenize_chat(const headway_engine* engine, const char* messages_json,
                                     const headway_chat_options* options, int32_t* ids,
                                     size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    const headway::OpenedModel& model = *shared->model;
    HW_TRY(const Rendering rendering, ReadChat(model, messages_json, options));
    HW_TRY(const std::vector<int32_t> found,
           ProgramOf(rendering, model).Encode(rendering.request, *model.tokenizer));
    return WriteList(std::span<const int32_t>(found), ids, capacity, count);
  });
}

headway_status headway_render_chat(const headway_engine* engine, const char* messages_json,
                                   const headway_chat_options* options, char* text, size_t capacity,
                                   size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    const headway::OpenedModel& model = *shared->model;
    HW_TRY(const Rendering rendering, ReadChat(model, messages_json, options));
    HW_TRY(const auto found, ProgramOf(rendering, model).Render(rendering.request));
    return WriteList(std::span<const char>(found.text), text, capacity, count);
  });
}
