#pragma once

// The C API, for C and for every language that calls C (docs/api.md). C11 or later, or C++.
//
// * Handles are opaque. What a function named ..._new, headway_open or headway_generate returns is
//   freed by its ..._free or headway_close; freeing null does nothing. Handles may be freed in any
//   order; what needs an engine keeps it. A handle that was freed must not be used again.
// * Nothing throws, nothing aborts because of what it is given. A function that can fail returns a
//   status, HEADWAY_OK or another; headway_error_text() then says what was expected, what was found
//   and where. Outputs are untouched unless a function says otherwise.
// * Every struct begins with its size, set by the caller: `headway_sampling s = {.size = sizeof s}`.
//   Later versions add members at the end, and 0 always means the default: a program that was
//   compiled with an older header runs with a newer library.
// * Lists are written into the caller's memory: of `capacity` elements; *count is set to how many
//   there are. With capacity 0 nothing else happens; otherwise too small a capacity is
//   HEADWAY_TOO_SMALL, and nothing is written but *count.
// * Any function may be called from any thread. Those that compute with one engine wait for each
//   other; pointers into a handle's memory are valid until the next call with that handle.
// * Texts are UTF-8; those without a length end with a zero byte. Null is the empty text.

#include <stddef.h>
#include <stdint.h>

// NOLINTBEGIN(readability-identifier-naming,modernize-use-using): C's names
#ifdef __cplusplus
extern "C" {
#endif

#define HEADWAY_API __attribute__((visibility("default")))
#define HEADWAY_ABI 1  // of this header: grows when something in it changes or goes

typedef int32_t headway_status;
enum {
  HEADWAY_OK = 0,
  HEADWAY_INVALID_INPUT = 1,
  HEADWAY_NOT_FOUND = 2,
  HEADWAY_UNSUPPORTED = 3,
  HEADWAY_IO = 4,
  HEADWAY_CORRUPT = 5,
  HEADWAY_GATE_FAILED = 6,
  HEADWAY_CANCELLED = 7,
  HEADWAY_OUT_OF_MEMORY = 8,
  HEADWAY_TOO_SMALL = 9,
  HEADWAY_INTERNAL = 10  // a mistake of ours
};

typedef struct headway_cancel headway_cancel;          // a flag that stops work
typedef struct headway_engine headway_engine;          // an opened model
typedef struct headway_sequence headway_sequence;      // one conversation
typedef struct headway_stream headway_stream;          // token ids to text as they come
typedef struct headway_generation headway_generation;  // what headway_generate() made

HEADWAY_API uint32_t headway_abi(void);         // HEADWAY_ABI of the library
HEADWAY_API const char* headway_version(void);  // "0.1.0"
// Of this thread's last call that failed; valid until its next call. Never null.
HEADWAY_API const char* headway_error_text(void);
HEADWAY_API const char* headway_status_name(headway_status status);  // "invalid input"

// A flag that may be set by any thread or signal handler; what was given it stops with
// HEADWAY_CANCELLED at its next step, and goes on after the flag is cleared. May be freed at once.
HEADWAY_API headway_status headway_cancel_new(headway_cancel** out);
HEADWAY_API headway_status headway_cancel_set(headway_cancel* cancel, int32_t is_set);
HEADWAY_API void headway_cancel_free(headway_cancel* cancel);

// ---- models ----

enum { HEADWAY_LOAD_AUTO = 0, HEADWAY_LOAD_MAP = 1, HEADWAY_LOAD_COPY = 2 };

typedef struct headway_open_options {  // headway/engine.h, EngineOptions
  size_t size;
  const char* instruction_set;
  const char* topology;
  const char* head;
  const char* usage_text;
  const char* cache_directory;
  const char* draft_model;
  headway_cancel* cancel;  // of packing a GGUF
  int32_t threads;
  int32_t load;  // HEADWAY_LOAD_...
  int32_t verify_contents;
  int32_t show_progress;  // on stderr
} headway_open_options;

// Opens a package directory or a GGUF, which is packed once. `options` may be null.
HEADWAY_API headway_status headway_open(const char* path, const headway_open_options* options,
                                        headway_engine** out);
HEADWAY_API void headway_close(headway_engine* engine);

typedef struct headway_summary {  // texts are valid until the engine is closed
  size_t size;
  const char* name;
  const char* architecture;
  const char* package_directory;
  const char* device;
  const char* instruction_set;
  const char* head;
  const char* head_choice;
  const char* topology;
  const char* chat_format;
  int64_t context_tokens;
  int64_t vocab_size;
  int64_t hidden_size;
  int64_t weight_bytes_per_token;
  int64_t head_bytes;  // of the whole head's weights
  int64_t max_rows;    // sequences of a step
  int32_t threads;
  int32_t bos_token;   // -1: none
  int32_t eos_token;   // -1: none
  int32_t has_logits;  // 0: the head gives best tokens only
} headway_summary;
HEADWAY_API headway_status headway_describe(const headway_engine* engine, headway_summary* out);

// ---- texts and token ids ----

enum {
  HEADWAY_PARSE_SPECIAL = 1,  // special tokens written out in the text count as such
  HEADWAY_NO_MARKS = 2,       // no begin-of-sequence before the text
  HEADWAY_KEEP_SPECIAL = 4    // detokenising: special tokens by their name
};
HEADWAY_API headway_status headway_tokenize(const headway_engine* engine, const char* text,
                                            size_t num_bytes, uint32_t flags, int32_t* ids,
                                            size_t capacity, size_t* count);
// The exact bytes of ids, without a zero at their end.
HEADWAY_API headway_status headway_detokenize(const headway_engine* engine, const int32_t* ids,
                                              size_t num_ids, uint32_t flags, char* text,
                                              size_t capacity, size_t* count);
// Whether a text ends with that token.
HEADWAY_API headway_status headway_is_end_token(const headway_engine* engine, int32_t id,
                                                int32_t* out);

typedef struct headway_chat_options {  // headway/engine.h, ChatOptions
  size_t size;
  const char* tools_json;
  const char* variables_json;
  const char* chat_template;
  int32_t no_generation_prompt;
  int32_t reserved;  // 0
} headway_chat_options;
// A conversation, a JSON list of messages as in OpenAI's API, by the model's chat template. Nothing
// in a message becomes a control token. `options` may be null.
HEADWAY_API headway_status headway_tokenize_chat(const headway_engine* engine,
                                                 const char* messages_json,
                                                 const headway_chat_options* options, int32_t* ids,
                                                 size_t capacity, size_t* count);

// Whole UTF-8 characters as they become certain. `at_start`: the ids begin a text. `stops`: texts
// that end it and are no part of it; what could be the beginning of one is held back, and nothing
// comes after one. `stops` may be null when there are none.
HEADWAY_API headway_status headway_stream_new(const headway_engine* engine, int32_t at_start,
                                              const char* const* stops, size_t num_stops,
                                              headway_stream** out);
HEADWAY_API headway_status headway_stream_push(headway_stream* stream, int32_t id,
                                               const char** text, size_t* num_bytes);
// Whether a stop string was found.
HEADWAY_API headway_status headway_stream_stopped(const headway_stream* stream, int32_t* out);
// What was held back; a new text may begin where no stop string was found.
HEADWAY_API headway_status headway_stream_finish(headway_stream* stream, const char** text,
                                                 size_t* num_bytes);
HEADWAY_API void headway_stream_free(headway_stream* stream);

// ---- sequences ----

typedef struct headway_sampling {  // docs/sampling.md; all 0: greedy
  size_t size;
  uint64_t seed;
  const int32_t* bias_ids;  // [num_biases]
  const float* biases;      // [num_biases], added to logits; -infinity bans
  size_t num_biases;
  const int32_t* allow_ids;  // [num_allow_ids]
  size_t num_allow_ids;      // 0: all
  float temperature;         // 0: greedy
  float top_p;               // 0 or 1: off
  float min_p;
  float repeat_penalty;  // 0 or 1: off
  float presence_penalty;
  float frequency_penalty;
  int32_t top_k;
  int32_t repeat_last_n;  // 0: 64; -1: the whole history
} headway_sampling;

enum { HEADWAY_KV_F16 = 0, HEADWAY_KV_Q8_0 = 1 };
// As the capacity is reached, a grammar's text ends by the shortest way, so that it is complete.
enum { HEADWAY_FINISH_WITH_SCHEMA = 0, HEADWAY_FINISH_ALWAYS = 1, HEADWAY_FINISH_NEVER = 2 };
// A blank after ':' and ',' alone, or runs of at most 2 line breaks and 16 blanks anywhere.
enum { HEADWAY_JSON_WHITESPACE_CANONICAL = 0, HEADWAY_JSON_WHITESPACE_FREE = 1 };
enum {
  HEADWAY_SPECULATE_OFF = 0,
  HEADWAY_SPECULATE_LOOKUP = 1,
  HEADWAY_SPECULATE_DRAFT_MODEL = 2  // headway_generate() only
};

typedef struct headway_sequence_options {
  size_t size;
  const headway_sampling* sampling;  // null: greedy
  const char* certificate;           // of a certified head: "deterministic", "probabilistic:1e-9"
  const char* grammar;               // what the new text must be, in GBNF; or
  const char* json_schema;           // by a JSON schema (docs/grammar.md)
  headway_cancel* cancel;
  int64_t capacity_tokens;  // the longest sequence; 0: the model's context
  int64_t audit_every;      // the full head runs as well on every n-th choice; 0: never
  int64_t most_drafts;      // a step, of speculation; 0: 7
  int32_t kv;               // HEADWAY_KV_...
  int32_t speculate;        // HEADWAY_SPECULATE_...: the same tokens in fewer steps
  int32_t want_logprobs;
  int32_t finish;           // HEADWAY_FINISH_...
  int32_t json_whitespace;  // HEADWAY_JSON_WHITESPACE_..., of a schema's text
  int32_t reserved;         // 0
} headway_sequence_options;

// Waits until the package's files were compared with their digests, once an engine.
HEADWAY_API headway_status headway_sequence_new(headway_engine* engine,
                                                const headway_sequence_options* options,
                                                headway_sequence** out);
HEADWAY_API void headway_sequence_free(headway_sequence* sequence);

// Appends tokens of a prompt and reads them. A grammar's text begins behind them. Stopped by its
// flag, it keeps the tokens and reads on with the next call.
HEADWAY_API headway_status headway_sequence_append(headway_sequence* sequence, const int32_t* ids,
                                                   size_t num_ids);
// The same, but leaves reading to headway_step().
HEADWAY_API headway_status headway_sequence_append_unread(headway_sequence* sequence,
                                                          const int32_t* ids, size_t num_ids);

// Told of each token appended, in order; null: not wanted. Memory is valid during the call; neither
// function may call the API. With both, the states of some positions come before their logits.
typedef struct headway_sink {
  size_t size;
  void* user;
  // logits [count] of the token that follows position `position`.
  void (*logits)(void* user, int64_t position, const float* logits, size_t count);
  // States before the head's norm, [num_positions, hidden_size].
  void (*hidden)(void* user, int64_t first_position, const float* states, size_t num_positions,
                 size_t hidden_size);
} headway_sink;
HEADWAY_API headway_status headway_sequence_append_with(headway_sequence* sequence,
                                                        const int32_t* ids, size_t num_ids,
                                                        const headway_sink* sink);

// Forgets everything but the first `num_tokens` tokens.
HEADWAY_API headway_status headway_sequence_truncate(headway_sequence* sequence,
                                                     int64_t num_tokens);
// An empty sequence begins as `other` does, with up to `num_tokens` of its tokens; keys and values
// are shared until one of the two changes them. *shared: how many.
HEADWAY_API headway_status headway_sequence_share(headway_sequence* sequence,
                                                  const headway_sequence* other, int64_t num_tokens,
                                                  int64_t* shared);

typedef struct headway_sequence_state {
  size_t size;
  int64_t num_tokens;
  int64_t num_pending;  // of them, not read yet
  int64_t capacity_tokens;
  int64_t num_choices;       // of the last step
  int32_t has_certificates;  // one each of these choices
  int32_t is_over;           // its grammar's text is complete, and no token says so
} headway_sequence_state;
HEADWAY_API headway_status headway_sequence_describe(const headway_sequence* sequence,
                                                     headway_sequence_state* out);
HEADWAY_API headway_status headway_sequence_tokens(const headway_sequence* sequence, int32_t* ids,
                                                   size_t capacity, size_t* count);

// ---- steps ----

// One sequence's part of a step.
typedef struct headway_row {
  size_t size;  // the same in all rows
  headway_sequence* sequence;
  const int32_t* drafts;  // guesses at its next tokens; null: its own, if it speculates
  size_t num_drafts;
  int64_t read_tokens;  // above 0: reads up to so many pending tokens and chooses none
  // Set by the step:
  headway_status status;
  int32_t num_choices;
} headway_row;

// Chooses the next token of every row, or more where drafts were right, and appends it; the weights
// are read once for all. What a sequence gets does not depend on the other rows. A row that fails
// stays as it was, and the others go on; the call then returns the first such row's status and text.
// At most max_rows rows that choose, and as many that read; no sequence twice.
HEADWAY_API headway_status headway_step(headway_engine* engine, headway_row* rows, size_t num_rows);
// Why the sequence's part of a step failed last; empty: it never did. Null for null.
HEADWAY_API const char* headway_sequence_error_text(const headway_sequence* sequence);

typedef struct headway_choice {
  size_t size;
  int32_t token;
  float logit;
  float logprob;     // where wanted
  int32_t reserved;  // 0
} headway_choice;
typedef struct headway_certificate {  // headway/certificate.h
  size_t size;
  const char* assumption;  // static
  double delta;
  uint64_t rows_screened;
  uint64_t rows_refined;
  uint64_t rows_three_bits;
  uint64_t rows_exact;
  uint64_t bytes_read;
  float theta;
  float value;
  int32_t token;
  int32_t fallback;
  int32_t audited;
  int32_t deterministic;
} headway_certificate;
// Choice number `index` of the last step.
HEADWAY_API headway_status headway_sequence_choice(const headway_sequence* sequence, size_t index,
                                                   headway_choice* out);
HEADWAY_API headway_status headway_sequence_certificate(const headway_sequence* sequence,
                                                        size_t index, headway_certificate* out);

// Reads what is pending and gives the logits [vocab_size] of the next token. In the engine's memory,
// without a copy: valid until its next call that computes.
HEADWAY_API headway_status headway_sequence_logits(headway_sequence* sequence, const float** logits,
                                                   size_t* count);
// The state before the head's norm from which the last choice came, or that of the last token read;
// [hidden_size], in the sequence's memory: valid while it lives, changed by its next step.
HEADWAY_API headway_status headway_sequence_hidden(const headway_sequence* sequence,
                                                   const float** hidden, size_t* count);

typedef struct headway_counters {  // docs/counters.md
  size_t size;
  uint64_t steps, step_tokens, step_ns, embed_ns, rope_mask_ns, layers_ns, head_ns;
  uint64_t head_predict_ns, head_predict_shard_work_ns, head_reduce_ns, head_reduce_shard_work_ns;
  uint64_t head_bytes_read, head_rows_screened, head_rows_rescored, head_planes_read;
  uint64_t head_fallbacks, head_switched_to_full, head_winners_kept, head_winners_dropped;
  uint64_t head_rest_needed, head_rows_computed, head_skipped, forced_tokens, mask_ns;
  uint64_t layers_bytes_read, speculation_passes, speculation_tokens, speculation_drafted;
  uint64_t speculation_accepted, speculation_draft_ns, prefill_tokens, prefill_ns, cache_rebuilds;
  uint64_t kv_bytes;
  uint64_t logits_hash;  // of headway_generate() only
  uint64_t layers_meetings, head_meetings;
} headway_counters;
HEADWAY_API headway_status headway_sequence_counters(const headway_sequence* sequence,
                                                     headway_counters* out);
enum { HEADWAY_LAYER_SHARD_NS = 0, HEADWAY_HEAD_SHARD_NS = 1, HEADWAY_STEP_NS = 2 };
HEADWAY_API headway_status headway_sequence_times(const headway_sequence* sequence, int32_t which,
                                                  uint64_t* ns, size_t capacity, size_t* count);

// ---- whole generations, and evaluation ----

enum {
  HEADWAY_STOP_END = 0,
  HEADWAY_STOP_MAX_TOKENS = 1,
  HEADWAY_STOP_CONTEXT_FULL = 2,
  HEADWAY_STOP_CANCELLED = 3,
  HEADWAY_STOP_STRING = 4
};
typedef struct headway_generate_options {
  size_t size;
  const headway_sequence_options* sequence;  // but its capacity; null: greedy
  void* user;
  // Sees each token as it is chosen, and whole characters that became certain with it, not
  // zero-terminated. A last call has id -1. Must not call the API but headway_cancel_set().
  void (*on_token)(void* user, const headway_choice* choice, const char* text, size_t num_bytes);
  int64_t max_new_tokens;    // 0: as many as the context holds
  int32_t ignore_end;        // go on after tokens that end a text
  int32_t reserved;          // 0
  const char* const* stops;  // [num_stops]: texts that end it and are no part of it
  size_t num_stops;
} headway_generate_options;
// `options` may be null. A run stopped by its flag is a result.
HEADWAY_API headway_status headway_generate(headway_engine* engine, const int32_t* prompt,
                                            size_t num_ids, const headway_generate_options* options,
                                            headway_generation** out);

typedef struct headway_generated {  // valid until the generation is freed
  size_t size;
  const int32_t* ids;
  size_t num_ids;
  const float* logprobs;    // null where they were not wanted
  size_t num_certificates;  // num_ids, with a certified head; else 0
  const char* text;
  size_t num_bytes;
  int32_t stop_reason;  // HEADWAY_STOP_...
  int32_t is_cut;       // no text of the grammar or schema: the tokens ran out
} headway_generated;
HEADWAY_API headway_status headway_generation_describe(const headway_generation* generation,
                                                       headway_generated* out);
HEADWAY_API headway_status headway_generation_certificate(const headway_generation* generation,
                                                          size_t index, headway_certificate* out);
HEADWAY_API headway_status headway_generation_counters(const headway_generation* generation,
                                                       headway_counters* out);
HEADWAY_API void headway_generation_free(headway_generation* generation);

typedef struct headway_perplexity_options {
  size_t size;
  int64_t window_tokens;  // 0: 512
  int64_t max_windows;    // 0: all
  int32_t kv;
  int32_t reserved;  // 0
} headway_perplexity_options;
typedef struct headway_perplexity_result {
  size_t size;
  double perplexity;
  double standard_error;
  int64_t windows;
  int64_t scored_tokens;
  int64_t text_tokens;
} headway_perplexity_result;
// As llama.cpp's llama-perplexity computes it. `options` may be null.
HEADWAY_API headway_status headway_perplexity(headway_engine* engine, const char* text,
                                              size_t num_bytes,
                                              const headway_perplexity_options* options,
                                              headway_perplexity_result* out);

#ifdef __cplusplus
}
#endif
// NOLINTEND(readability-identifier-naming,modernize-use-using)
