#include "server/chat_prompt.h"

#include <utility>

#include "chat/chat_template.h"

namespace headway::server {
namespace {

// What is said about tools stands in the system message.
std::vector<ChatMessage> WithTools(const ChatRequest& request) {
  std::vector<ChatMessage> messages = request.messages;
  if (request.continues_last) messages.pop_back();
  if (!request.tools.Active()) return messages;
  const std::string about = ToolsPrompt(request.tools);
  if (!messages.empty() && messages.front().role == "system") {
    messages.front().content += "\n\n" + about;
  } else {
    messages.insert(messages.begin(), {.role = "system", .content = about});
  }
  return messages;
}

// The model's template and what it is to render.
struct Rendering {
  const chat::ChatTemplate* program = nullptr;
  chat::Request request;
};

Parsed<Rendering> RenderingOf(const Service& service, const ChatRequest& request) {
  const Result<chat::ChatTemplate>& program = *service.Model().chat;
  if (!program) return Refuse(FromError(program.error(), "messages"));
  const auto messages = chat::MessagesFromPairs(WithTools(request));
  if (!messages) return Refuse(FromError(messages.error(), "messages"));
  auto made = chat::MakeRequest(*messages, "", request.template_variables);
  if (!made) return Refuse(FromError(made.error(), "chat_template_kwargs"));
  made->add_generation_prompt = request.continues_last || request.add_generation_prompt;
  if (request.continues_last) made->answer_begins = request.messages.back().content;
  return Rendering{.program = &*program, .request = *std::move(made)};
}

}  // namespace

Parsed<std::vector<int32_t>> EncodeChat(const Service& service, const ChatRequest& request) {
  HW_API_TRY(const Rendering rendering, RenderingOf(service, request));
  const auto ids = rendering.program->Encode(rendering.request, service.Tokens());
  if (!ids) return Refuse(FromError(ids.error(), "messages"));
  return *ids;
}

Parsed<int64_t> CountPrompt(const Service& service, const HttpRequest& http,
                            Parsed<ChatRequest> (*parse)(const Json& body)) {
  HW_API_TRY(const Json body, service.ReadGeneration(http));
  HW_API_TRY(const ChatRequest request, parse(body));
  HW_API_TRY(const std::vector<int32_t> ids, EncodeChat(service, request));
  return static_cast<int64_t>(ids.size());
}

Parsed<std::string> RenderChat(const Service& service, const ChatRequest& request) {
  HW_API_TRY(const Rendering rendering, RenderingOf(service, request));
  const auto rendered = rendering.program->Render(rendering.request);
  if (!rendered) return Refuse(FromError(rendered.error(), "messages"));
  return rendered->text;
}

Parsed<std::unique_ptr<Answers>> BeginChat(const Service& service, ChatRequest request,
                                           const HttpRequest& http) {
  HW_API_TRY(std::vector<int32_t> prompt, EncodeChat(service, request));
  if (request.tools.Active()) request.options.form = ToolsForm(request.tools);
  HW_API_TRY(auto requests, service.PrepareChoices(std::move(prompt), request.options, http));
  // What goes on in the middle of a text keeps its space.
  const bool starts_text = !request.continues_last || request.messages.back().content.empty();
  return service.Begin(std::move(requests), request.options, starts_text, http);
}

}  // namespace headway::server
