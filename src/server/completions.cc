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

// OpenAI's older form: lists side by side.
class LogprobLists {
 public:
  explicit LogprobLists(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // A token whose text begins at `offset`. Null: nothing comes before it to expect it.
  void Add(int32_t id, size_t offset, const float* logprob_or_null,
           std::span<const TokenLogprob> alternatives) {
    texts_.push_back(tokenizer_.TokenBytes(id));
    offsets_.push_back(offset);
    logprobs_.push_back(logprob_or_null == nullptr ? Json(nullptr) : Json(*logprob_or_null));
    Json best = logprob_or_null == nullptr ? Json(nullptr) : Json::object();
    for (const TokenLogprob& other : alternatives)
      best[std::string(tokenizer_.TokenBytes(other.id))] = other.logprob;
    top_.push_back(std::move(best));
  }

  // `offset` is where the first token's text begins.
  void AddAnswer(std::span<const TokenText> tokens, size_t* offset) {
    for (const TokenText& token : tokens) {
      Add(token.id, *offset, &token.logprob, token.alternatives);
      *offset += tokenizer_.TokenBytes(token.id).size();
    }
  }

  // All tokens of a prompt; `logprobs` are those of its second one and of what follows.
  void AddPrompt(std::span<const int32_t> ids, std::span<const PromptLogprob> logprobs) {
    tokenizer::StreamDecoder decoder(tokenizer_, true);
    size_t offset = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool is_known = i > 0 && i <= logprobs.size();
      const PromptLogprob* const known = is_known ? &logprobs[i - 1] : nullptr;
      Add(ids[i], offset, known == nullptr ? nullptr : &known->logprob,
          known == nullptr ? std::span<const TokenLogprob>() : known->alternatives);
      offset += decoder.Push(ids[i]).size();
    }
  }

  Json Take() {
    return {{"tokens", std::move(texts_)},
            {"token_logprobs", std::move(logprobs_)},
            {"top_logprobs", std::move(top_)},
            {"text_offset", std::move(offsets_)}};
  }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  Json texts_ = Json::array();
  Json logprobs_ = Json::array();
  Json top_ = Json::array();
  Json offsets_ = Json::array();
};

// What an answer begins with: its prompt, where that is wanted.
struct Echo {
  std::string text;
  std::vector<int32_t> ids = {};  // where its tokens' log-probabilities are wanted
};

// All prompts' choices; those of one prompt follow each other.
struct PreparedTexts {
  std::vector<ScheduledRequest> requests;
  std::vector<Echo> echoes;
};

Parsed<PreparedTexts> PrepareTexts(const Service& service, const CompletionRequest& request,
                                   const HttpRequest& http) {
  PreparedTexts prepared;
  for (const PromptPiece& piece : request.prompts) {
    HW_API_TRY(std::vector<int32_t> ids, EncodePiece(service.Tokens(), piece, "prompt"));
    Echo echo;
    if (request.echo) echo.text = PieceText(service.Tokens(), piece);
    if (request.options.prompt_logprobs) echo.ids = ids;
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
                     const TextFrame& frame, const std::vector<Echo>& echoes, Answers* answers,
                     const HttpRequest& http) {
  const auto whole = Collect(answers, http.is_there);
  if (!whole) return ErrorReply(whole.error());
  Json choices = Json::array();
  Usage usage;
  for (size_t i = 0; i < whole->size(); ++i) {
    const WholeAnswer& answer = (*whole)[i];
    const Echo& echo = echoes[i];
    size_t offset = echo.text.size();
    Json logprobs = nullptr;
    if (request.options.logprobs) {
      LogprobLists lists(service.Tokens());
      lists.AddPrompt(echo.ids, answer.prompt);
      lists.AddAnswer(answer.tokens, &offset);
      logprobs = lists.Take();
    }
    choices.push_back({{"text", echo.text + answer.text},
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
                 std::vector<Echo> echoes, Answers* answers, const IsThere& is_there,
                 StreamWriter* writer) {
  Usage usage;
  std::vector<size_t> offsets;
  offsets.reserve(echoes.size());
  for (const Echo& echo : echoes) offsets.push_back(echo.text.size());
  std::vector<std::vector<PromptLogprob>> prompts(echoes.size());
  bool good = true;
  const auto write = [&](Json chunk) {
    if (request.options.include_usage) chunk["usage"] = nullptr;
    good = good && WriteEvent(writer, chunk);
  };
  while (good) {
    auto event = answers->Next(is_there);
    if (!event) break;
    const auto index = static_cast<size_t>(event->index);
    if (event->IsPrompt()) {  // it comes with what is chosen first
      prompts[index] = std::move(event->prompt);
      continue;
    }
    if (event->IsReading()) {
      Json chunk = frame.Choice(event->index, "", nullptr, nullptr);
      AddProgress(request.options, *event, &chunk);
      write(std::move(chunk));
      continue;
    }
    const Echo echo = std::exchange(echoes[index], {});
    const std::string text = echo.text + event->text;
    if (!text.empty() || !echo.ids.empty() || !event->tokens.empty()) {
      Json logprobs = nullptr;
      if (request.options.logprobs) {
        LogprobLists lists(service.Tokens());
        lists.AddPrompt(echo.ids, prompts[index]);
        lists.AddAnswer(event->tokens, &offsets[index]);
        logprobs = lists.Take();
      }
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
