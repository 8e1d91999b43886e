#include "server/wire.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headway::server {
namespace {

HttpReply WithRetryAfter(HttpReply reply, const ApiError& error) {
  if (error.retry_after_s > 0)
    reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  return reply;
}

double PerSecond(double count, double ms) { return ms > 0.0 ? count * 1000.0 / ms : 0.0; }

Json TokenLogprobs(const tokenizer::Tokenizer& tokenizer, int32_t id, float logprob) {
  const std::string_view text = tokenizer.TokenBytes(id);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

HttpReply JsonReply(const Json& body, int status) {
  return {.status = status, .body = JsonText(body)};
}

HttpReply ErrorReply(const ApiError& error) {
  return WithRetryAfter(JsonReply(OpenAiError(error), error.status), error);
}

HttpReply AnthropicErrorReply(const ApiError& error) {
  return WithRetryAfter(JsonReply(AnthropicError(error), error.status), error);
}

bool WriteEvent(StreamWriter* writer, const Json& event) {
  return writer->Write("data: " + JsonText(event) + "\n\n");
}

bool WriteNamedEvent(StreamWriter* writer, std::string_view name, const Json& event) {
  return writer->Write("event: " + std::string(name) + "\ndata: " + JsonText(event) + "\n\n");
}

HttpReply EventStream(std::function<void(StreamWriter* writer)> stream) {
  return {.content_type = "text/event-stream",
          .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
          .stream = std::move(stream)};
}

void Usage::Add(const RequestEnd& end, bool same_prompt) {
  completion_tokens += end.new_tokens;
  prompt_tokens = same_prompt ? end.prompt_tokens : prompt_tokens + end.prompt_tokens;
  cached_tokens =
      same_prompt ? std::max(cached_tokens, end.cached_tokens) : cached_tokens + end.cached_tokens;
}

Json OpenAiUsage(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json Timings(const RequestEnd& end) {
  const auto read = static_cast<double>(end.prompt_tokens - end.cached_tokens);
  const auto written = static_cast<double>(end.new_tokens);
  const double prompt_ms = static_cast<double>(end.prompt_ns) * 1e-6;
  const double decode_ms = static_cast<double>(end.decode_ns) * 1e-6;
  // The first token comes with the prompt.
  const double steps = std::max(written - 1.0, 0.0);
  const SpeculationCounters& drafts = end.counters.speculation;
  return {{"cache_n", end.cached_tokens},
          {"prompt_n", end.prompt_tokens - end.cached_tokens},
          {"prompt_ms", prompt_ms},
          {"prompt_per_token_ms", read > 0.0 ? prompt_ms / read : 0.0},
          {"prompt_per_second", PerSecond(read, prompt_ms)},
          {"predicted_n", end.new_tokens},
          {"predicted_ms", decode_ms},
          {"predicted_per_token_ms", steps > 0.0 ? decode_ms / steps : 0.0},
          {"predicted_per_second", PerSecond(steps, decode_ms)},
          {"draft_n", drafts.drafted},
          {"draft_n_accepted", drafts.accepted},
          {"queued_ms", static_cast<double>(end.waited_ns) * 1e-6}};
}

Json Timings(const RequestProgress& progress) {
  return Timings(RequestEnd{.prompt_tokens = progress.read_tokens,
                            .cached_tokens = progress.cached_tokens,
                            .new_tokens = progress.new_tokens,
                            .waited_ns = progress.waited_ns,
                            .prompt_ns = progress.prompt_ns,
                            .decode_ns = progress.decode_ns,
                            .counters = {}});
}

Json PromptProgress(const RequestProgress& progress) {
  return {{"total", progress.prompt_tokens},
          {"cache", progress.cached_tokens},
          {"processed", progress.read_tokens},
          {"time_ms", static_cast<double>(progress.prompt_ns) * 1e-6}};
}

void AddProgress(const GenerationOptions& options, const AnswerEvent& event, Json* to) {
  if (!event.progress) return;
  if (event.IsReading()) (*to)["prompt_progress"] = PromptProgress(*event.progress);
  if (options.timings_per_token) (*to)["timings"] = Timings(*event.progress);
}

Json ChatLogprobs(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens) {
  Json content = Json::array();
  for (const TokenText& token : tokens) {
    Json one = TokenLogprobs(tokenizer, token.id, token.logprob);
    one["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : token.alternatives)
      one["top_logprobs"].push_back(TokenLogprobs(tokenizer, other.id, other.logprob));
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json LlamaProbabilities(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens,
                        bool after_sampling) {
  const auto one_of = [&](int32_t id, float logprob) {
    Json one = TokenLogprobs(tokenizer, id, logprob);
    one["id"] = id;
    if (!after_sampling) return one;
    one.erase("logprob");
    one["prob"] = std::exp(static_cast<double>(logprob));
    return one;
  };
  Json list = Json::array();
  for (const TokenText& token : tokens) {
    Json one = one_of(token.id, token.logprob);
    Json& others = one[after_sampling ? "top_probs" : "top_logprobs"] = Json::array();
    for (const TokenLogprob& other : token.alternatives)
      others.push_back(one_of(other.id, other.logprob));
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace headway::server
