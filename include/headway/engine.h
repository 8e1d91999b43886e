#pragma once

// The public C++ API: open a model, turn text into text. Example: examples/generate.cc.
//
//   HW_TRY(headway::Engine engine, headway::Engine::Open("model.gguf", {}));
//   HW_TRY(const auto prompt, engine.Encode("Once upon a time"));
//   HW_TRY(const auto result, engine.Generate(prompt, {.max_new_tokens = 64}, nullptr));
//   std::puts(result.text.c_str());

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headway/certificate.h"
#include "headway/chat_message.h"
#include "headway/counters.h"
#include "headway/kv_type.h"
#include "headway/load_weights.h"
#include "headway/result.h"
#include "headway/sampling_params.h"
#include "headway/speculation_params.h"

namespace headway {

// Says which parts of a model other processes run (docs/distributed.md).
class Placement;  // src/engine/placement.h

struct EngineOptions {
  int threads = 0;                   // 0: the processors this process may run on
  std::string instruction_set = {};  // "reference", "avx2", ...: exactly that; empty: the best
  std::string topology = {};         // "6", "0:20,20:32"; empty: the package's own, or 6 for a GGUF
  // "full:4"; empty or "auto": the package's first, or for a GGUF a certified head where it pays.
  std::string head = {};
  std::string usage_text = {};  // of a GGUF: a text like those to come, for its head to learn from
  std::string cache_directory = {};  // for packages made from GGUFs; empty: docs/cli.md says which
  std::string draft_model = {};      // a small model, same vocabulary, for Speculate::kDraftModel
  LoadWeights load = LoadWeights::kAuto;
  // Of Core ML packages: where Core ML may run them, "all", "cpu-and-neural-engine", "cpu-and-gpu" or
  // "cpu-only"; or "interpreter": ours runs them. Empty: cpu-and-neural-engine where there is Core ML,
  // else the interpreter.
  std::string compute_units = {};
  // Read every file of the package and compare digests first; else those that are used are compared
  // in the background, and Generate() fails with kCorrupt where one is damaged.
  bool verify_contents = false;
  bool show_progress = false;                      // on stderr
  std::shared_ptr<Placement> placement = nullptr;  // null: everything runs in this process
  // Set by a signal handler or another thread: packing stops with kCancelled, leaving nothing.
  const std::atomic<bool>* cancelled_or_null = nullptr;
  // Hears of packing, in the thread that opens: of at most 101 steps of each work, "packing",
  // "reading texts for the head" and "certified head". Not of opening what is packed.
  std::function<void(const char* work, int64_t done, int64_t total)> progress = nullptr;
};

// What a chat template may read beside the messages (docs/chat_templates.md).
struct ChatOptions {
  std::string tools_json = {};        // a list of tools as in OpenAI's API; empty: none
  std::string variables_json = {};    // an object: {"enable_thinking": false}; empty: none
  std::string chat_template = {};     // Jinja in place of the file's own; empty: that one
  bool add_generation_prompt = true;  // end where the assistant's answer begins
};

// Between the tokens of JSON that a schema describes: a blank after ':' and ',' alone, or as the
// model likes it, in runs of at most 2 line breaks and 16 blanks.
enum class JsonWhitespace { kCanonical, kFree };

struct GenerateOptions {
  int64_t max_new_tokens = 128;
  // Keys and values; q8_0 takes half the memory and moves logits a little (docs/gates.md).
  KvType kv = KvType::kF16;
  SamplingParams sampling;
  SpeculationParams speculation = {};
  // Of a certified head: "deterministic" or "probabilistic:DELTA"; empty: probabilistic:1e-9. And
  // on how many choices the full head runs as well, to compare: every n-th; 0: never.
  std::string certificate = {};
  int64_t audit_every = 0;
  // What the new text must be, one at most: a grammar in GBNF, or a JSON schema (docs/grammar.md).
  // Generation ends with the text. Empty: anything.
  std::string grammar = {};
  std::string json_schema = {};
  JsonWhitespace json_whitespace = JsonWhitespace::kCanonical;
  // As the tokens run out, the text ends by the shortest way that the grammar allows, so that it is
  // complete; where even that takes more tokens, it is cut. Absent: with a schema.
  std::optional<bool> finish_within_budget = {};
  // Strings that end the text where they begin; none of them is empty.
  std::vector<std::string> stop = {};
  bool want_logprobs = false;
  bool stop_at_end = true;  // at end-of-generation tokens
  const std::atomic<bool>* cancelled_or_null = nullptr;
  // Hears of tokens read, in the thread that generates: of the prompt ("prefill") or again
  // ("rebuilding the cache").
  std::function<void(const char* work, int64_t done, int64_t total)> progress = nullptr;
};

struct GeneratedToken {
  int32_t id = -1;
  float logit = 0.0F;
  float logprob = 0.0F;  // when asked for
  std::string_view
      text;  // complete UTF-8 characters that became certain with this token; valid during the call
};

enum class StopReason { kEndToken, kMaxTokens, kContextFull, kCancelled, kStopString };
const char* ToString(StopReason reason);

struct Generation {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;                 // when asked for
  std::vector<Certificate> certificates = {};  // of each token, with a certified head
  std::string text;
  StopReason stop_reason = StopReason::kMaxTokens;
  bool is_cut = false;  // no text of the grammar or schema that was asked for: the tokens ran out
  // When it is cut: with so many new tokens finish_within_budget completes the text; absent: with no
  // number that is known.
  std::optional<int64_t> tokens_to_complete = {};
  KvType kv = KvType::kF16;  // how keys and values were stored
  Counters counters;
};

// What a model is, for display.
struct ModelSummary {
  std::string name;
  std::string architecture;
  std::string package_directory;
  std::string device;
  std::string instruction_set;
  std::string head;
  std::string head_choice = {};  // why that one, where none was named
  std::string topology;
  int threads = 0;
  int64_t context_tokens = 0;
  int64_t vocab_size = 0;
  int64_t weight_bytes_per_token = 0;
  std::string chat_format = {};  // of a file without a chat template: the format used for it
  bool is_interpreted = false;   // its device is not here: what it computes, not how fast
};

struct OpenedModel;  // src/engine/open.h

// A model ready to generate. Immutable after Open(), and safe to use from several threads; Generate()
// calls share one team of threads and wait for each other. Many at once: headway serve.
class Engine {
 public:
  // Opens a package directory, or a GGUF file (packed once into the cache directory; later opens
  // find it there). Errors say what was expected, what was found and where.
  static Result<Engine> Open(const std::string& path, const EngineOptions& options);

  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const ModelSummary& Summary() const;

  // Token ids of `text`; with `parse_special`, special tokens written out in it count as such.
  Result<std::vector<int32_t>> Encode(std::string_view text, bool parse_special = false) const;
  // The first special token that `text` spells out and that Encode therefore reads as ordinary text
  // unless it is asked to parse them; nothing when there is none.
  std::optional<std::string> SpelledSpecialToken(std::string_view text) const;
  // Token ids of a conversation in the model's own chat format, ending where the assistant's answer
  // begins. Nothing in a message, a tool or a variable becomes a control token.
  Result<std::vector<int32_t>> EncodeChat(std::span<const ChatMessage> messages,
                                          const ChatOptions& options = {}) const;
  // The same from a JSON list of messages as in OpenAI's API: content as text or as parts, tool
  // calls, and whatever else the model's template reads.
  Result<std::vector<int32_t>> EncodeChatJson(std::string_view messages_json,
                                              const ChatOptions& options = {}) const;
  // The exact bytes of `ids`.
  std::string Decode(std::span<const int32_t> ids) const;

  // Generates from a prompt of at least one token; `on_token` (may be null) sees each token as it
  // is chosen, and must not call Generate().
  Result<Generation> Generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<void(const GeneratedToken&)>& on_token) const;

 private:
  explicit Engine(std::unique_ptr<OpenedModel> model);
  std::unique_ptr<OpenedModel> model_;
};

}  // namespace headway
