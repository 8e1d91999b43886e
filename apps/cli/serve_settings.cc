#include "serve_settings.h"

#include <memory>
#include <span>
#include <utility>

#include "base/notice.h"
#include "chat/chat_template.h"
#include "input.h"
#include "server/json.h"

namespace headway::cli {
namespace {

// Who gives a template may know that the model learnt its markers as plain text; else it is a mistake
// that nothing else would tell.
void AllowMarkers(const OpenedModel& model, chat::ChatTemplate* format) {
  const chat::Message hello = {.role = "user", .content = "Hello"};
  const auto messages = chat::MessagesFromPairs(std::span(&hello, 1));
  if (!messages) return;
  const auto ids = format->Encode({.messages = *messages}, *model.tokenizer);
  if (ids || ids.error().code != ErrorCode::kUnsupported) return;
  Notice("headway: " + ids.error().message + "; it will be text to the model\n");
  format->AllowPlainMarkers();
}

}  // namespace

server::Json RequestDefaults(const ServeArguments& arguments) {
  server::Json defaults = server::Json::object();
  const auto add = [&](const char* name, const auto& value) {
    if (value) defaults[name] = *value;
  };
  add("temperature", arguments.temperature);
  add("top_k", arguments.top_k);
  add("top_p", arguments.top_p);
  add("min_p", arguments.min_p);
  add("repeat_penalty", arguments.repeat_penalty);
  add("presence_penalty", arguments.presence_penalty);
  add("frequency_penalty", arguments.frequency_penalty);
  add("seed", arguments.seed);
  add("n_predict", arguments.new_tokens);
  return defaults;
}

Result<std::string> SetChatTemplate(const ServeArguments& arguments, OpenedModel* model) {
  constexpr uint64_t kMostBytes = uint64_t{1} << 20;
  std::string source = arguments.chat_template.value_or("");
  const std::string file = arguments.chat_template_file.value_or("");
  if (!file.empty()) {
    if (!source.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "expected one of --chat-template and --chat-template-file, found both");
    }
    HW_TRY(source, ReadInput(file, kMostBytes));
    if (source.empty()) {
      return Fail(ErrorCode::kInvalidInput, file + ": expected a chat template, found nothing");
    }
  }
  if (source.empty()) return source;
  const bool is_name = file.empty() && source.find('{') == std::string::npos;
  HW_TRY(auto format, is_name ? chat::ChatTemplate::FromName(source, *model->tokenizer)
                              : chat::ChatTemplate::FromSource(source, *model->tokenizer));
  AllowMarkers(*model, &format);
  model->chat = std::make_unique<Result<chat::ChatTemplate>>(std::move(format));
  return is_name ? std::string() : source;
}

}  // namespace headway::cli
