#include "server/chat_request.h"

namespace headway::server {

Parsed<ChatRequest> ParseChatCompletion(const Json& body) {
  Fields fields(body);
  ChatRequest request;
  GenerationOptions& options = request.options;
  options.sampling.temperature = 1.0F;
  ReadStreaming(&fields, &options);
  ReadSampling(&fields, &options);
  ReadStops(&fields, "stop", &options.stop);
  ReadForm(&fields, &options.form);
  ReadTools(&fields, &request.tools);
  for (const char* const name : {"n_predict", "max_tokens", "max_completion_tokens"})
    fields.Read(name, &options.max_tokens, -1, int64_t{1} << 31);
  if (const Json* const variables = fields.Find("chat_template_kwargs"); variables != nullptr) {
    if (!variables->is_object())
      fields.Wrong("chat_template_kwargs", "an object", KindOf(*variables));
    request.template_variables = JsonText(*variables);
  }
  if (const Json* const ours = fields.Find("headway"); ours != nullptr) {
    Fields inner(*ours, "headway");
    inner.Read("per_token", &options.token_facts);
    if (!inner.Good()) fields.Wrong(*inner.Mistake());
  }
  fields.Read("n", &options.num_choices, 1, kMostChoices);
  fields.Read("logprobs", &options.logprobs);
  fields.Read("top_logprobs", &options.top_logprobs, 0, kMostTopLogprobs);
  if (options.top_logprobs > 0 && !options.logprobs)
    fields.Wrong("logprobs", "true beside top_logprobs", "none");
  if (!fields.Has("messages")) fields.Wrong("messages", "an array of messages", "none");
  if (request.tools.Active() && options.form.kind != TextForm::Kind::kAny)
    fields.Wrong("tools", "no response_format, json_schema or grammar beside them", "one");
  if (!fields.Good()) return Refuse(*fields.Mistake());
  HW_API_TRY(request.messages, ReadMessages(*fields.Find("messages"), "messages"));
  return request;
}

}  // namespace headway::server
