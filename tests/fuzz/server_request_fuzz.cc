// Requests to the server: any bytes are read as every kind of request without a crash, and what is
// accepted keeps its promises.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/generation_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace headway;
  using namespace headway::server;
  const auto body = ParseJsonText(std::string_view(reinterpret_cast<const char*>(bytes), size));
  if (!body) return 0;
  static_cast<void>(JsonText(*body));
  for (const auto& request : {ParseChatCompletion(*body), ParseResponsesRequest(*body),
                              ParseMessagesRequest(*body, true)}) {
    if (!request) {
      HW_CHECK(request.error().status == 400 && !request.error().message.empty(), "a reason");
      continue;
    }
    HW_CHECK(!request->messages.empty(), "at least one message");
    if (request->tools.Active()) HW_CHECK(!ToolsForm(request->tools).text.empty(), "a schema");
  }
  for (const auto& request : {ParseOpenAiCompletion(*body), ParseLlamaCompletion(*body)}) {
    if (!request) continue;
    HW_CHECK(!request->prompts.empty(), "at least one prompt");
    const Json settings = GenerationSettings(request->options);
    HW_CHECK(OnlyFields(settings, request->response_fields).is_object(), "an object");
  }
  const Json with = WithDefaults(*body, {{"temperature", 0.5}, {"n_predict", 7}});
  if (with.is_object()) {
    HW_CHECK(with.contains("temperature"), "the default");
  }
  static_cast<void>(ParseToolAnswer(JsonText(*body)));
  return 0;
}
