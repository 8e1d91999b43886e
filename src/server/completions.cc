// POST /v1/completions

#include <memory>
#include <utility>

#include "headway/version.h"
#include "server/completion_request.h"
#include "server/endpoints.h"
#include "server/wire.h"

namespace headway::server {
namespace {

struct TextFrame {
  std::string id = NewId("cmpl-");
  int64_t created = UnixSeconds();
  std::string model;

  Json Object(Json choices) const {
    return {{"id", id},
            {"object", "text_completion"},
            {"created", created},
            {"model", model},
            {"system_fingerprint", std::string("headway-") + kVersion},
            {"choices", std::move(choices)}};
  }
  Json Choice(int64_t index, const std::string& text, Json logprobs, Json finish_reason) const {
    return Object(Json::array({{{"text", text},
                                {"index", index},
                                {"logprobs", std::move(logprobs)},
                                {"finish_reason", std::move(finish_reason)}}}));
  }
};

// OpenAI's older form: lists side by side. `offset` is where the first token's text begins.
Json TextLogprobs(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens,
                  size_t* offset) {
  Json texts = Json::array();
  Json logprobs = Json::array();
  Json top = Json::array();
  Json offsets = Json::array();
  for (const TokenText& token : tokens) {
    const std::string_view text = tokenizer.TokenBytes(token.id);
    texts.push_back(text);
    logprobs.push_back(token.logprob);
    Json best = Json::object();
    for (const TokenLogprob& other : token.alternatives)
      best[std::string(tokenizer.TokenBytes(other.id))] = other.logprob;
    top.push_back(std::move(best));
    offsets.push_back(*offset);
    *offset += text.size();
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

// All prompts' choices; those of one prompt follow each other.
struct PreparedTexts {
  std::vector<ScheduledRequest> requests;
  std::vector<std::string> echoes;  // what each answer begins with
};

Parsed<PreparedTexts> PrepareTexts(const Service& service, const CompletionRequest& request,
                                   const HttpRequest& http) {
  PreparedTexts prepared;
  for (const PromptPiece& piece : request.prompts) {
    HW_API_TRY(std::vector<int32_t> ids, EncodePiece(service.Tokens(), piece, "prompt"));
    const std::string echo = request.echo ? PieceText(service.Tokens(), piece) : "";
    HW_API_TRY(auto choices, service.PrepareChoices(std::move(ids), request.options, http));
    for (ScheduledRequest& choice : choices) {
      prepared.requests.push_back(std::move(choice));
      prepared.echoes.push_back(echo);
    }
  }
  return prepared;
}

// Prompts are counted once, however many choices they have.
void AddUsage(const CompletionRequest& request, const AnswerEvent& event, Usage* usage) {
  RequestEnd end = event.end->request;
  if (event.index % request.options.num_choices != 0) end.prompt_tokens = end.cached_tokens = 0;
  usage->Add(end, false);
}

HttpReply WholeTexts(const Service& service, const CompletionRequest& request,
                     const TextFrame& frame, const std::vector<std::string>& echoes,
                     Answers* answers, const HttpRequest& http) {
  const auto whole = Collect(answers, http.is_there);
  if (!whole) return ErrorReply(whole.error());
  Json choices = Json::array();
  Usage usage;
  for (size_t i = 0; i < whole->size(); ++i) {
    const WholeAnswer& answer = (*whole)[i];
    size_t offset = 0;
    Json logprobs = nullptr;
    if (request.options.logprobs) logprobs = TextLogprobs(service.Tokens(), answer.tokens, &offset);
    choices.push_back({{"text", echoes[i] + answer.text},
                       {"index", i},
                       {"logprobs", std::move(logprobs)},
                       {"finish_reason", FinishReason(answer.end.request.reason)}});
    AddUsage(request,
             {.index = static_cast<int64_t>(i), .text = {}, .tokens = {}, .end = answer.end},
             &usage);
  }
  Json body = frame.Object(std::move(choices));
  body["usage"] = OpenAiUsage(usage);
  body["timings"] = Timings(whole->front().end.request);
  return JsonReply(body);
}

void StreamTexts(const Service& service, const CompletionRequest& request, const TextFrame& frame,
                 std::vector<std::string> echoes, Answers* answers, const IsThere& is_there,
                 StreamWriter* writer) {
  Usage usage;
  std::vector<size_t> offsets(echoes.size(), 0);
  bool good = true;
  const auto write = [&](Json chunk) {
    if (request.options.include_usage) chunk["usage"] = nullptr;
    good = good && WriteEvent(writer, chunk);
  };
  while (good) {
    const auto event = answers->Next(is_there);
    if (!event) break;
    const auto index = static_cast<size_t>(event->index);
    if (event->IsReading()) {
      Json chunk = frame.Choice(event->index, "", nullptr, nullptr);
      AddProgress(request.options, *event, &chunk);
      write(std::move(chunk));
      continue;
    }
    const std::string text = std::exchange(echoes[index], {}) + event->text;
    if (!text.empty() || !event->tokens.empty()) {
      Json logprobs = nullptr;
      if (request.options.logprobs)
        logprobs = TextLogprobs(service.Tokens(), event->tokens, &offsets[index]);
      Json chunk = frame.Choice(event->index, text, std::move(logprobs), nullptr);
      AddProgress(request.options, *event, &chunk);
      write(std::move(chunk));
    }
    if (!event->end) continue;
    const RequestEnd& end = event->end->request;
    if (const auto mistake = MistakeOf(end)) {
      WriteEvent(writer, OpenAiError(*mistake));
      return;
    }
    Json last = frame.Choice(event->index, "", nullptr, FinishReason(end.reason));
    last["timings"] = Timings(end);
    write(std::move(last));
    AddUsage(request, *event, &usage);
  }
  if (!good || answers->ClientIsGone()) return;
  if (request.options.include_usage) {
    Json chunk = frame.Object(Json::array());
    chunk["usage"] = OpenAiUsage(usage);
    WriteEvent(writer, chunk);
  }
  writer->Write("data: [DONE]\n\n");
}

}  // namespace

HttpReply Completions(const Service& service, const HttpRequest& http) {
  const auto body = service.ReadGeneration(http);
  if (!body) return ErrorReply(body.error());
  const auto request = ParseOpenAiCompletion(*body);
  if (!request) return ErrorReply(request.error());
  auto prepared = PrepareTexts(service, *request, http);
  if (!prepared) return ErrorReply(prepared.error());
  auto begun = service.Begin(std::move(prepared->requests), request->options, false, http);
  if (!begun) return ErrorReply(begun.error());
  TextFrame frame;
  frame.model = service.ModelName();
  if (!request->options.stream)
    return WholeTexts(service, *request, frame, prepared->echoes, begun->get(), http);
  const std::shared_ptr<Answers> answers = *std::move(begun);
  return EventStream([&service, request = *request, frame, echoes = prepared->echoes, answers,
                      is_there = http.is_there](StreamWriter* writer) {
    StreamTexts(service, request, frame, echoes, answers.get(), is_there, writer);
  });
}

}  // namespace headway::server
