#pragma once

// Pieces of answers that several endpoints write, and server-sent events.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/answers.h"
#include "server/generation_options.h"
#include "server/http.h"
#include "server/json.h"
#include "tokenizer/tokenizer.h"

namespace headway::server {

HttpReply JsonReply(const Json& body, int status = 200);
// In OpenAI's form.
HttpReply ErrorReply(const ApiError& error);
HttpReply AnthropicErrorReply(const ApiError& error);

// "data: {...}" and an empty line. False: the client has gone.
bool WriteEvent(StreamWriter* writer, const Json& event);
// The same with "event: NAME" before it.
bool WriteNamedEvent(StreamWriter* writer, std::string_view name, const Json& event);
// A reply that streams events.
HttpReply EventStream(std::function<void(StreamWriter* writer)> stream);

// Sums over a request's answers, which share the prompt.
struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t completion_tokens = 0;

  void Add(const RequestEnd& end, bool same_prompt);
};
Json OpenAiUsage(const Usage& usage);
// llama-server's, of one answer; and so far.
Json Timings(const RequestEnd& end);
Json Timings(const RequestProgress& progress);
// {"total", "cache", "processed", "time_ms"}
Json PromptProgress(const RequestProgress& progress);
// Adds to a stream's event what the request wants to know besides: "timings" and "prompt_progress".
void AddProgress(const GenerationOptions& options, const AnswerEvent& event, Json* to);

// {"token", "logprob", "bytes"} and what else could have come.
Json ChatLogprobs(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens);

// The same as llama-server has it: a list, with the ids; `after_sampling`: as probabilities.
Json LlamaProbabilities(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenText>& tokens,
                        bool after_sampling);

}  // namespace headway::server
