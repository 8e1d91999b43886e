#include "server/chat_prompt.h"

#include <utility>

#include "tokenizer/chat_template.h"

namespace headway::server {
namespace {

// What is said about tools stands in the system message.
std::vector<ChatMessage> WithTools(const ChatRequest& request) {
  std::vector<ChatMessage> messages = request.messages;
  if (!request.tools.Active()) return messages;
  const std::string about = ToolsPrompt(request.tools);
  if (messages.front().role == "system") {
    messages.front().content += "\n\n" + about;
  } else {
    messages.insert(messages.begin(), {.role = "system", .content = about});
  }
  return messages;
}

}  // namespace

Parsed<std::vector<int32_t>> EncodeChat(const Service& service, const ChatRequest& request) {
  const auto ids = service.Tokens().EncodeChat(WithTools(request), true);
  if (!ids) return Refuse(FromError(ids.error(), "messages"));
  return *ids;
}

Parsed<std::string> RenderChat(const Service& service, const ChatRequest& request) {
  const auto text = tokenizer::RenderChat(service.Tokens().vocabulary(), WithTools(request), true);
  if (!text) return Refuse(FromError(text.error(), "messages"));
  return *text;
}

Parsed<std::unique_ptr<Answers>> BeginChat(const Service& service, ChatRequest request,
                                           const HttpRequest& http) {
  HW_API_TRY(std::vector<int32_t> prompt, EncodeChat(service, request));
  if (request.tools.Active()) request.options.form = ToolsForm(request.tools);
  HW_API_TRY(auto requests, service.PrepareChoices(std::move(prompt), request.options, http));
  return service.Begin(std::move(requests), request.options, true, http);
}

}  // namespace headway::server
