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
  const Json& messages = *fields.Find("messages");
  HW_API_TRY(request.messages, ReadMessages(messages, "messages"));
  const Fields last(messages.back());
  const Json* const calls = last.Find("tool_calls");
  ReadTurns(&fields, calls != nullptr && !calls->empty(), &request);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  return request;
}

void ReadTurns(Fields* fields, bool last_has_calls, ChatRequest* request) {
  bool adds = false;
  bool continues = false;
  fields->Read("add_generation_prompt", &adds);
  fields->Read("continue_final_message", &continues);
  const bool says_adds = fields->Has("add_generation_prompt");
  request->add_generation_prompt = adds || !says_adds;
  if (adds && continues)
    fields->Wrong("continue_final_message", "false beside add_generation_prompt", "true");
  const std::vector<ChatMessage>& messages = request->messages;
  const size_t count = messages.size();
  const bool can = messages.back().role == "assistant" && !last_has_calls;
  if (continues && !can)
    fields->Wrong("continue_final_message", "a message of the assistant in words at the end",
                  "another one");
  if (continues && request->tools.Active())
    fields->Wrong("continue_final_message", "no tools beside it", "some");
  const bool by_default =
      can && !adds && !fields->Has("continue_final_message") && !request->tools.Active();
  request->continues_last = continues || by_default;
  if (request->continues_last && count > 1 && messages[count - 2].role == "assistant")
    fields->Wrong("messages", "one message of the assistant at the end", "several");
}

}  // namespace headway::server
