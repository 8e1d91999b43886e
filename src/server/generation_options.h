#pragma once

// What requests of every kind say about how an answer is generated, read from JSON: names and
// meaning are OpenAI's and llama-server's (docs/serving.md). Knows no model.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "headway/sampling_params.h"
#include "server/api_error.h"
#include "server/fields.h"

namespace headway::server {

// What the new text must be.
struct TextForm {
  enum class Kind { kAny, kGbnf, kSchema };
  Kind kind = Kind::kAny;
  std::string text = {};            // the grammar, or the schema as JSON
  bool unnamed_properties = false;  // of a schema
  bool free_white_space = false;    // likewise
  friend bool operator==(const TextForm&, const TextForm&) = default;
};

struct GenerationOptions {
  SamplingParams sampling;
  bool has_seed = false;    // else sampling.seed is chosen when the request runs
  int64_t max_tokens = -1;  // -1: as many as the context has room for
  std::vector<std::string> stop = {};
  // Of each token of a text, beside sampling.logit_bias, which knows ids.
  std::vector<std::pair<std::string, float>> text_biases = {};
  int64_t num_choices = 1;
  bool stream = false;
  bool include_usage = false;
  bool timings_per_token = false;  // of streams: each event has the timings so far
  bool return_progress = false;    // of streams: events while the prompt is read
  bool verbose = false;            // the prompt's text comes with the answer
  bool ignore_end = false;
  bool logprobs = false;
  int64_t top_logprobs = 0;
  bool prompt_logprobs = false;  // of the prompt's tokens, too
  bool after_sampling = false;   // log-probabilities are those of being drawn
  bool token_ids = false;        // tokens without what is likely
  bool token_facts = false;      // what it took to choose each token (token_facts.h)
  bool cache_prompt = true;
  double timeout_s = 0.0;  // 0: none
  TextForm form = {};
  // Ends a grammar's text by the shortest way as the tokens run out; absent: a schema's.
  std::optional<bool> finish_within_budget = {};
};

inline constexpr int64_t kMostChoices = 128;
inline constexpr int64_t kMostTopLogprobs = 20;
inline constexpr int64_t kMostProbabilities = 1000;  // of llama-server's n_probs
inline constexpr int64_t kMostStops = 64;
inline constexpr size_t kLongestStop = 4096;

// Everything but `stream` and the numbers of tokens and logprobs, which differ between endpoints.
void ReadSampling(Fields* fields, GenerationOptions* options);
// "stop": a string or a list of them.
void ReadStops(Fields* fields, std::string_view name, std::vector<std::string>* stops);
// response_format, json_schema, grammar and json_whitespace.
void ReadForm(Fields* fields, TextForm* form);
// json_whitespace, of a form that was read.
void ReadWhiteSpace(Fields* fields, TextForm* form);
// stream, stream_options, and what llama-server tells beside answers: timings_per_token,
// return_progress, verbose.
void ReadStreaming(Fields* fields, GenerationOptions* options);

}  // namespace headway::server
