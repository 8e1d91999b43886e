// POST /completion, llama-server's own.

#include <memory>
#include <utility>

#include "server/completion_request.h"
#include "server/endpoints.h"
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

Json Probabilities(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens) {
  Json list = ChatLogprobs(tokenizer, tokens)["content"];
  for (size_t i = 0; i < tokens.size(); ++i) list[i]["id"] = tokens[i].id;
  return list;
}

struct LlamaAnswer {
  const Service& service;
  const CompletionRequest& request;

  Json Part(int64_t index, const std::string& text, const std::vector<TokenText>& tokens,
            bool stop) const {
    Json part = {{"index", index}, {"content", text}, {"tokens", Json::array()}, {"stop", stop}};
    if (request.return_tokens) part["tokens"] = IdsOf(tokens);
    if (request.options.top_logprobs > 0)
      part["completion_probabilities"] = Probabilities(service.Tokens(), tokens);
    return part;
  }
  Json Last(int64_t index, const std::string& text, const std::vector<TokenText>& tokens,
            const AnswerEnd& end) const {
    Json last = Part(index, text, tokens, true);
    last["model"] = service.ModelName();
    last["tokens_predicted"] = end.request.new_tokens;
    last["tokens_evaluated"] = end.request.prompt_tokens;
    last["tokens_cached"] = end.request.prompt_tokens + end.request.new_tokens;
    last["truncated"] = false;
    last["stop_type"] = StopType(end);
    last["stopping_word"] = end.stop;
    last["timings"] = Timings(end.request);
    return last;
  }
};

void StreamLlama(const LlamaAnswer& form, Answers* answers, const IsThere& is_there,
                 StreamWriter* writer) {
  while (const auto event = answers->Next(is_there)) {
    if (const auto mistake = event->end ? MistakeOf(event->end->request) : std::nullopt) {
      WriteEvent(writer, OpenAiError(*mistake));
      return;
    }
    const Json part = event->end ? form.Last(event->index, event->text, event->tokens, *event->end)
                                 : form.Part(event->index, event->text, event->tokens, false);
    if (!WriteEvent(writer, part)) return;
  }
}

}  // namespace

HttpReply Completion(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  const auto request = ParseLlamaCompletion(*body);
  if (!request) return ErrorReply(request.error());
  std::vector<ScheduledRequest> requests;
  for (const PromptPiece& piece : request->prompts) {
    auto ids = EncodePiece(service.Tokens(), piece, "prompt");
    if (!ids) return ErrorReply(ids.error());
    auto prepared = service.Prepare(*std::move(ids), request->options, http);
    if (!prepared) return ErrorReply(prepared.error());
    requests.push_back(*std::move(prepared));
  }
  GenerationOptions options = request->options;
  options.logprobs = options.logprobs || request->return_tokens;  // tokens are told, too
  auto begun = service.Begin(std::move(requests), options, false, http);
  if (!begun) return ErrorReply(begun.error());
  if (request->options.stream) {
    const std::shared_ptr<Answers> answers = *std::move(begun);
    return EventStream(
        [&service, request = *request, answers, is_there = http.is_there](StreamWriter* writer) {
          StreamLlama({.service = service, .request = request}, answers.get(), is_there, writer);
        });
  }
  const auto whole = Collect(begun->get(), http.is_there);
  if (!whole) return ErrorReply(whole.error());
  const LlamaAnswer form{.service = service, .request = *request};
  Json all = Json::array();
  for (const WholeAnswer& answer : *whole) {
    all.push_back(
        form.Last(static_cast<int64_t>(all.size()), answer.text, answer.tokens, answer.end));
  }
  return JsonReply(all.size() == 1 ? all[0] : all);
}

}  // namespace headway::server
