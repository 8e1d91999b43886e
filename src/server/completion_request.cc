#include "server/completion_request.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::server {
namespace {

constexpr int64_t kMostNewTokens = int64_t{1} << 31;

Parsed<CompletionRequest> Checked(const Fields& fields, CompletionRequest request) {
  if (!fields.Good()) return Refuse(*fields.Mistake());
  return request;
}

}  // namespace

Parsed<CompletionRequest> ParseOpenAiCompletion(const Json& body) {
  Fields fields(body);
  CompletionRequest request;
  GenerationOptions& options = request.options;
  options.sampling.temperature = 1.0F;
  options.max_tokens = 16;  // OpenAI's default
  ReadStreaming(&fields, &options);
  ReadSampling(&fields, &options);
  ReadStops(&fields, "stop", &options.stop);
  ReadForm(&fields, &options.form);
  for (const char* const name : {"n_predict", "max_tokens"})
    fields.Read(name, &options.max_tokens, -1, kMostNewTokens);
  fields.Read("n", &options.num_choices, 1, kMostChoices);
  int64_t best_of = options.num_choices;
  fields.Read("best_of", &best_of, 1, kMostChoices);
  if (best_of != options.num_choices)
    fields.Wrong("best_of", "the same number as n", fmt::format("{}", best_of));
  int64_t logprobs = -1;
  fields.Read("logprobs", &logprobs, 0, kMostTopLogprobs);
  options.logprobs = logprobs >= 0;
  options.top_logprobs = std::max<int64_t>(logprobs, 0);
  fields.Read("echo", &request.echo);
  options.prompt_logprobs = request.echo && options.logprobs;
  std::string suffix;
  fields.Read("suffix", &suffix);
  if (!suffix.empty()) fields.Wrong("suffix", "none (text is not filled in)", "one");
  request.prompts = ReadPrompts(&fields, "prompt");
  return Checked(fields, std::move(request));
}

// The defaults of llama-server's samplers.
Parsed<CompletionRequest> ParseLlamaCompletion(const Json& body) {
  Fields fields(body);
  CompletionRequest request;
  GenerationOptions& options = request.options;
  options.sampling = {.temperature = 0.8F, .top_k = 40, .top_p = 0.95F, .min_p = 0.05F};
  ReadStreaming(&fields, &options);
  ReadSampling(&fields, &options);
  ReadStops(&fields, "stop", &options.stop);
  ReadForm(&fields, &options.form);
  for (const char* const name : {"max_tokens", "n_predict"})
    fields.Read(name, &options.max_tokens, -1, kMostNewTokens);
  for (const char* const name : {"logprobs", "n_probs"})
    fields.Read(name, &options.top_logprobs, 0, kMostProbabilities);
  options.logprobs = options.top_logprobs > 0;
  fields.Read("post_sampling_probs", &options.after_sampling);
  for (const char* const name : {"n", "n_cmpl"})
    fields.Read(name, &options.num_choices, 1, kMostChoices);
  fields.Read("return_tokens", &request.return_tokens);
  fields.Read("response_fields", &request.response_fields);
  options.token_ids = request.return_tokens || options.stream;
  request.prompts = ReadPrompts(&fields, "prompt");
  return Checked(fields, std::move(request));
}

}  // namespace headway::server
