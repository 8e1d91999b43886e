// POST /completion, llama-server's own.

#include <memory>
#include <utility>

#include "server/completion_request.h"
#include "server/endpoints.h"
#include "server/generation_settings.h"
#include "server/wire.h"

namespace headway::server {
namespace {

std::string StopType(const AnswerEnd& end) {
  if (!end.stop.empty()) return "word";
  return FinishReason(end.request.reason) == "length" ? "limit" : "eos";
}

Json IdsOf(const std::vector<TokenText>& tokens) {
  Json ids = Json::array();
  for (const TokenText& token : tokens) ids.push_back(token.id);
  return ids;
}

struct LlamaAnswer {
  const Service& service;
  const CompletionRequest& request;
  const std::vector<std::string>& prompts;  // of each answer

  Json Part(int64_t index, const std::string& text, const std::vector<TokenText>& tokens,
            bool stop) const {
    Json part = {{"index", index}, {"content", text}, {"tokens", Json::array()}, {"stop", stop}};
    if (request.options.token_ids) part["tokens"] = IdsOf(tokens);
    if (request.options.top_logprobs > 0)
      part["completion_probabilities"] =
          LlamaProbabilities(service.Tokens(), tokens, request.options.after_sampling);
    return part;
  }
  Json Last(int64_t index, const std::string& text, const std::vector<TokenText>& tokens,
            const AnswerEnd& end, bool has_new_line) const {
    Json last = Part(index, text, tokens, true);
    last["model"] = service.ModelName();
    last["tokens_predicted"] = end.request.new_tokens;
    last["tokens_evaluated"] = end.request.prompt_tokens;
    GenerationOptions options = request.options;
    options.sampling.seed += static_cast<uint64_t>(index % options.num_choices);
    last["generation_settings"] = GenerationSettings(options);
    last["prompt"] = prompts[static_cast<size_t>(index)];
    last["has_new_line"] = has_new_line;
    last["tokens_cached"] = end.request.prompt_tokens + end.request.new_tokens;
    last["truncated"] = end.request.reason == EndReason::kContextFull;
    last["stop_type"] = StopType(end);
    last["stopping_word"] = end.stop;
    last["timings"] = Timings(end.request);
    return request.response_fields.empty() ? last : OnlyFields(last, request.response_fields);
  }
};

bool HasNewLine(const std::string& text) { return text.find('\n') != std::string::npos; }

void StreamLlama(const LlamaAnswer& form, Answers* answers, const IsThere& is_there,
                 StreamWriter* writer) {
  std::vector<bool> has_new_line(form.prompts.size(), false);
  std::vector<int64_t> predicted(form.prompts.size(), 0);
  while (const auto event = answers->Next(is_there)) {
    if (const auto mistake = event->end ? MistakeOf(event->end->request) : std::nullopt) {
      WriteEvent(writer, OpenAiError(*mistake));
      return;
    }
    const auto at = static_cast<size_t>(event->index);
    has_new_line[at] = has_new_line[at] || HasNewLine(event->text);
    predicted[at] += static_cast<int64_t>(event->tokens.size());
    Json part;
    if (event->end) {
      part = form.Last(event->index, event->text, event->tokens, *event->end, has_new_line[at]);
    } else {
      part = form.Part(event->index, event->text, event->tokens, false);
      part["tokens_predicted"] = predicted[at];
      AddProgress(form.request.options, *event, &part);
    }
    if (!WriteEvent(writer, part)) return;
  }
}

}  // namespace

HttpReply Completion(const Service& service, const HttpRequest& http) {
  const auto body = service.ReadGeneration(http);
  if (!body) return ErrorReply(body.error());
  auto request = ParseLlamaCompletion(*body);
  if (!request) return ErrorReply(request.error());
  GenerationOptions& options = request->options;
  // Drawn here, so that the answer can say it.
  if (!options.has_seed) options.sampling.seed = RandomNumber() >> 32U;
  options.has_seed = true;
  std::vector<ScheduledRequest> requests;
  std::vector<std::string> prompts;
  for (const PromptPiece& piece : request->prompts) {
    auto ids = EncodePiece(service.Tokens(), piece, "prompt");
    if (!ids) return ErrorReply(ids.error());
    prompts.insert(prompts.end(), static_cast<size_t>(options.num_choices),
                   service.Tokens().Decode(*ids, true));
    auto choices = service.PrepareChoices(*std::move(ids), options, http);
    if (!choices) return ErrorReply(choices.error());
    for (ScheduledRequest& choice : *choices) requests.push_back(std::move(choice));
  }
  auto begun = service.Begin(std::move(requests), options, false, http);
  if (!begun) return ErrorReply(begun.error());
  if (options.stream) {
    const std::shared_ptr<Answers> answers = *std::move(begun);
    return EventStream([&service, request = *request, prompts = std::move(prompts), answers,
                        is_there = http.is_there](StreamWriter* writer) {
      StreamLlama({.service = service, .request = request, .prompts = prompts}, answers.get(),
                  is_there, writer);
    });
  }
  const auto whole = Collect(begun->get(), http.is_there);
  if (!whole) return ErrorReply(whole.error());
  const LlamaAnswer form{.service = service, .request = *request, .prompts = prompts};
  Json all = Json::array();
  for (const WholeAnswer& answer : *whole) {
    all.push_back(form.Last(static_cast<int64_t>(all.size()), answer.text, answer.tokens,
                            answer.end, HasNewLine(answer.text)));
  }
  return JsonReply(all.size() == 1 ? all[0] : all);
}

}  // namespace headway::server
