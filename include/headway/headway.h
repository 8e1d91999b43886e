#pragma once

// The C API, for C and for every language that calls C (docs/api.md). C11 or later, or C++.
//
// * Handles are opaque. What a function named ..._new, headway_open or headway_generate returns is
//   freed by its ..._free or headway_close; freeing null does nothing. Handles may be freed in any
//   order; what needs an engine keeps it. A handle that was freed must not be used again.
// * Nothing throws, nothing aborts because of what it is given. A function that can fail returns a
//   status, HEADWAY_OK or another; headway_error_text() then says what was expected, what was found
//   and where. Outputs are untouched unless a function says otherwise. Each may return
//   HEADWAY_INVALID_INPUT (null, a wrong size, an id outside the vocabulary, a value that makes no
//   sense, a call from a function that the library called), _UNSUPPORTED (something set that only a
//   later version knows), _OUT_OF_MEMORY, _INTERNAL; what else comes of one stands at it.
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
typedef struct headway_grammar headway_grammar;        // what a text must be
typedef struct headway_generation headway_generation;  // what headway_generate() made

HEADWAY_API uint32_t headway_abi(void);         // HEADWAY_ABI of the library
HEADWAY_API const char* headway_version(void);  // "0.1.0"
// Of this thread's last call that failed; valid until its next call. Never null.
HEADWAY_API const char* headway_error_text(void);
HEADWAY_API const char* headway_status_name(headway_status status);  // "invalid input"

// A flag that may be set by any thread or signal handler; what was given it stops with
// HEADWAY_CANCELLED at its next step, and goes on after the flag is cleared.
HEADWAY_API headway_status headway_cancel_new(headway_cancel** out);
// Sets the flag, or clears it where `is_set` is 0. Never waits; without an error's text, which a
// signal handler could not allocate.
HEADWAY_API headway_status headway_cancel_set(headway_cancel* cancel, int32_t is_set);
// At any time: whatever was given the flag keeps what it needs of it.
HEADWAY_API void headway_cancel_free(headway_cancel* cancel);

// ---- models ----

enum { HEADWAY_LOAD_AUTO = 0, HEADWAY_LOAD_MAP = 1, HEADWAY_LOAD_COPY = 2 };

typedef struct headway_open_options {
  size_t size;
  const char* instruction_set;  // "reference", "avx2", ...: exactly that; empty: the best
  const char* topology;         // layers a shard: "6", "0:20,20:32"; empty: the package's own, or 6
  const char* head;             // "full:4", "certified", ...; empty: the package's first, or for a
                                // GGUF a certified one where it pays
  const char* usage_text;       // of a GGUF: like those to come, for its head to learn from
  const char* cache_directory;  // for packages made from GGUFs; empty: docs/cli.md says which
  const char* draft_model;      // a path: a small model of the same vocabulary that guesses ahead
  headway_cancel* cancel;       // of packing a GGUF
  int32_t threads;              // 0: the processors that this process may run on
  int32_t load;                 // HEADWAY_LOAD_...: weights in place, in huge pages, or as suits
  int32_t verify_contents;      // compares every file with its digest now, not in the background
  int32_t show_progress;        // on stderr
  const char* compute_units;    // of Core ML packages: "all", "cpu-and-neural-engine",
                                // "cpu-and-gpu", "cpu-only", "interpreter"; empty: as suits
  void* user;
  // Hears of packing, at most 101 times of each work: "packing", "reading texts for the head",
  // "certified head". Called in the thread that opens; must not call the API but
  // headway_cancel_set(), which stops packing.
  void (*progress)(void* user, const char* work, int64_t done, int64_t total);
} headway_open_options;

// Opens a package directory or a GGUF, which is packed once. `options` may be null. The files stay
// in place and unchanged while it is open. Errors: also HEADWAY_NOT_FOUND, _IO, _CORRUPT (a file is
// not what it was), _GATE_FAILED and _CANCELLED (of packing).
HEADWAY_API headway_status headway_open(const char* path, const headway_open_options* options,
                                        headway_engine** out);
// Its memory goes when nothing that was made with it is left.
HEADWAY_API void headway_close(headway_engine* engine);

typedef struct headway_summary {  // texts are valid until the engine is closed
  size_t size;
  const char* name;
  const char* architecture;
  const char* package_directory;
  const char* device;           // "cpu", "coreml"
  const char* instruction_set;  // that computes
  const char* head;
  const char* head_choice;  // why that one, where none was named
  const char* topology;
  const char* chat_format;  // used for a file without a template; else empty
  int64_t context_tokens;   // the longest sequence
  int64_t vocab_size;
  int64_t hidden_size;
  int64_t weight_bytes_per_token;
  int64_t head_bytes;  // of the whole head's weights
  int64_t max_rows;    // sequences of a step
  int32_t threads;
  int32_t bos_token;                // -1: none
  int32_t eos_token;                // -1: none
  int32_t has_logits;               // 0: the head gives best tokens only
  const char* chat_template;        // Jinja, as the file carries it; empty: none
  int64_t max_position_embeddings;  // what the model was trained for
  int32_t is_interpreted;           // its device is not here: what it computes, not how fast
  int32_t reserved;                 // 0
} headway_summary;
// What was opened.
HEADWAY_API headway_status headway_describe(const headway_engine* engine, headway_summary* out);

// ---- texts and token ids ----

enum {
  HEADWAY_PARSE_SPECIAL = 1,  // special tokens written out in the text count as such
  HEADWAY_NO_MARKS = 2,       // no begin-of-sequence before the text
  HEADWAY_KEEP_SPECIAL = 4    // detokenising: special tokens by their name
};
// The ids of a text, or of any `num_bytes` bytes. `flags`: PARSE_SPECIAL, NO_MARKS.
HEADWAY_API headway_status headway_tokenize(const headway_engine* engine, const char* text,
                                            size_t num_bytes, uint32_t flags, int32_t* ids,
                                            size_t capacity, size_t* count);
// The exact bytes of ids, without a zero at their end.
HEADWAY_API headway_status headway_detokenize(const headway_engine* engine, const int32_t* ids,
                                              size_t num_ids, uint32_t flags, char* text,
                                              size_t capacity, size_t* count);
// The first special token that a text spells out, and that headway_tokenize() reads as plain text
// unless it is told to parse them; -1: none.
HEADWAY_API headway_status headway_find_special(const headway_engine* engine, const char* text,
                                                size_t num_bytes, int32_t* id);
// Whether a text ends with that token: *out is 1 or 0.
HEADWAY_API headway_status headway_is_end_token(const headway_engine* engine, int32_t id,
                                                int32_t* out);

typedef struct headway_chat_options {
  size_t size;
  const char* tools_json;        // a list of tools as in OpenAI's API
  const char* variables_json;    // more that the template reads: {"enable_thinking": false}
  const char* chat_template;     // Jinja in place of the model's own
  int32_t no_generation_prompt;  // do not end where the assistant's answer begins
  int32_t reserved;              // 0
  const char* chat_format;       // of that name in place of the model's own template: "chatml", ...
  const char* answer_begins;     // the answer's first words, behind everything; no control tokens
  int32_t allow_plain_markers;   // <|markers|> that are no control tokens here are text, no error
  int32_t reserved_too;          // 0
} headway_chat_options;
// The ids of a conversation, a JSON list of messages as in OpenAI's API, by the model's chat
// template. Nothing in a message becomes a control token. `options` may be null. Errors: also
// HEADWAY_UNSUPPORTED (no template, one that this version cannot run, content that is no text).
HEADWAY_API headway_status headway_tokenize_chat(const headway_engine* engine,
                                                 const char* messages_json,
                                                 const headway_chat_options* options, int32_t* ids,
                                                 size_t capacity, size_t* count);
// The text of these ids, UTF-8, without a zero at its end; the mark that begins a text, which some
// files ask for and their template leaves out, is not in it. Errors: the same.
HEADWAY_API headway_status headway_render_chat(const headway_engine* engine,
                                               const char* messages_json,
                                               const headway_chat_options* options, char* text,
                                               size_t capacity, size_t* count);

// Whole UTF-8 characters as they become certain. `at_start`: the ids begin a text. `stops`: texts
// that end it and are no part of it; what could be the beginning of one is held back, and nothing
// comes after one. `stops` may be null when there are none.
HEADWAY_API headway_status headway_stream_new(const headway_engine* engine, int32_t at_start,
                                              const char* const* stops, size_t num_stops,
                                              headway_stream** out);
// What became certain with this token, maybe nothing: *num_bytes of *text, which is valid until the
// stream's next call.
HEADWAY_API headway_status headway_stream_push(headway_stream* stream, int32_t id,
                                               const char** text, size_t* num_bytes);
// Whether a stop string was found.
HEADWAY_API headway_status headway_stream_stopped(const headway_stream* stream, int32_t* out);
// What was held back, as above; a new text may begin where no stop string was found.
HEADWAY_API headway_status headway_stream_finish(headway_stream* stream, const char** text,
                                                 size_t* num_bytes);
// At any time.
HEADWAY_API void headway_stream_free(headway_stream* stream);

// ---- sequences ----

// A grammar or a schema, compiled once for any number of sequences of any engine: one of `gbnf`,
// `json_schema`. A sequence keeps what it needs of it.
HEADWAY_API headway_status headway_grammar_new(const char* gbnf, const char* json_schema,
                                               headway_grammar** out);
typedef struct headway_grammar_options {
  size_t size;
  const char* gbnf;             // one of these two
  const char* json_schema;      //
  int32_t json_whitespace;      // HEADWAY_JSON_WHITESPACE_..., of a schema's text
  int32_t json_any_properties;  // of a schema: those that it neither names nor forbids, too
} headway_grammar_options;
// The same, with more to say.
HEADWAY_API headway_status headway_grammar_new_with(const headway_grammar_options* options,
                                                    headway_grammar** out);
// At any time.
HEADWAY_API void headway_grammar_free(headway_grammar* grammar);

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
  int32_t finish;                   // HEADWAY_FINISH_...
  const headway_grammar* compiled;  // in place of the two texts; not of headway_generate()
  int32_t json_whitespace;          // HEADWAY_JSON_WHITESPACE_..., of a schema's text
  int32_t reserved;                 // 0
  int64_t min_ngram;                // of lookup, the shortest n-gram, 1 to 16; 0: 2
  int64_t max_ngram;                // and the longest; 0: 4
  int32_t no_adapt;                 // always most_drafts guesses, not as many as pay
  int32_t probe_lookup;  // counts what lookup would have given; decodes without speculation
  void* user;
  // Hears of tokens read, more than one in a call: of prompts, "prefill" or "decode" where the step
  // that chooses reads them, or again, "rebuilding the cache". Called in the thread that has them
  // read, as long as the sequence lives; must not call the API but headway_cancel_set().
  void (*progress)(void* user, const char* work, int64_t done, int64_t total);
} headway_sequence_options;

// A conversation without tokens. Waits until the package's files were compared with their digests,
// once an engine. Errors: also HEADWAY_CORRUPT (they differ), _IO, _UNSUPPORTED (what the head or
// the form of keys and values cannot give).
HEADWAY_API headway_status headway_sequence_new(headway_engine* engine,
                                                const headway_sequence_options* options,
                                                headway_sequence** out);
// Not while another call works with it; its keys and values go with it, but what others share.
HEADWAY_API void headway_sequence_free(headway_sequence* sequence);

// Appends tokens of a prompt and reads them. A grammar's text begins behind them. Stopped by its
// flag, it keeps the tokens and reads on with the next call. Errors: also HEADWAY_CANCELLED,
// _CORRUPT (numbers that are not finite), _IO (the device failed).
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
// headway_sequence_append() that tells. Errors: also HEADWAY_UNSUPPORTED (logits of a head without).
HEADWAY_API headway_status headway_sequence_append_with(headway_sequence* sequence,
                                                        const int32_t* ids, size_t num_ids,
                                                        const headway_sink* sink);

// Forgets everything but the first `num_tokens` tokens.
HEADWAY_API headway_status headway_sequence_truncate(headway_sequence* sequence,
                                                     int64_t num_tokens);
// Gives the memory of keys and values back; the tokens stay, and are read again with the next step.
HEADWAY_API headway_status headway_sequence_forget(headway_sequence* sequence);
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
  int32_t is_complete;       // its grammar's text may end here; 1 without a grammar
  int32_t is_final;          // and nothing can follow but its end; 0 without a grammar
} headway_sequence_state;
// What it is now.
HEADWAY_API headway_status headway_sequence_describe(const headway_sequence* sequence,
                                                     headway_sequence_state* out);
// Its ids, [num_tokens].
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
  const headway_sink* sink;  // where tokens are read: told their states; its `logits` is null
} headway_row;

// Chooses the next token of every row, or more where drafts were right, and appends it; the weights
// are read once for all. What a sequence gets does not depend on the other rows. A row that fails
// stays as it was, and the others go on; the call then returns the first such row's status and text.
// At most max_rows rows that choose, and as many that read; no sequence twice. Errors: also
// HEADWAY_CANCELLED, _CORRUPT, _IO as of appending, _GATE_FAILED (an audit found a difference).
HEADWAY_API headway_status headway_step(headway_engine* engine, headway_row* rows, size_t num_rows);
// Why the sequence's part of a step failed last; empty: it never did. Null for null.
HEADWAY_API const char* headway_sequence_error_text(const headway_sequence* sequence);

typedef struct headway_choice {
  size_t size;
  int32_t token;
  float logit;
  float logprob;     // ln of its probability at temperature 1, where wanted
  int32_t reserved;  // 0
} headway_choice;
typedef struct headway_certificate {  // docs/certified_head.md
  size_t size;
  const char* assumption;    // what the device's sums must be for it; empty: nothing. Static
  double delta;              // the probability of being wrong
  uint64_t rows_screened;    // rows of the vocabulary bounded by one bit a weight
  uint64_t rows_refined;     // of them, by two
  uint64_t rows_three_bits;  // of these, by three
  uint64_t rows_exact;       // computed in the full head's arithmetic
  uint64_t bytes_read;
  float theta;            // no row but the exact ones can have reached this value
  float value;            // the winner's
  int32_t token;          // the winner
  int32_t fallback;       // the full head ran: nothing to certify
  int32_t audited;        // the full head ran as well and gave the same token
  int32_t deterministic;  // holds always, whatever delta
} headway_certificate;
// Choice number `index` of the last step, of num_choices.
HEADWAY_API headway_status headway_sequence_choice(const headway_sequence* sequence, size_t index,
                                                   headway_choice* out);
// Its evidence; HEADWAY_INVALID_INPUT where there is none (has_certificates).
HEADWAY_API headway_status headway_sequence_certificate(const headway_sequence* sequence,
                                                        size_t index, headway_certificate* out);

// Reads what is pending and gives the logits [vocab_size] of the next token. In the engine's memory,
// without a copy: valid until its next call that computes. Errors: as of appending.
HEADWAY_API headway_status headway_sequence_logits(headway_sequence* sequence, const float** logits,
                                                   size_t* count);
// The logits from which the last choice came, or those after the last token read: one product with
// the head, and no other reading of the layers. Memory and errors: as above.
HEADWAY_API headway_status headway_sequence_last_logits(headway_sequence* sequence,
                                                        const float** logits, size_t* count);
// The most likely tokens in place of the last step's choice, which was the only one of that step,
// best first: at most `capacity` of them, and *count is how many. Their logprobs are those at
// temperature 1 without penalties and filters; with `after_sampling`, ln of the probability to be
// drawn, without those of probability 0, and *chosen (may be null) is that of the choice. With a
// grammar, of a sequence with want_logprobs alone. One product with the head. Errors: as above.
HEADWAY_API headway_status headway_sequence_alternatives(headway_sequence* sequence,
                                                         int32_t after_sampling, int32_t* ids,
                                                         float* logprobs, size_t capacity,
                                                         size_t* count, float* chosen);
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
  uint64_t probe_passes, probe_tokens, probe_drafted, probe_accepted, probe_draft_ns;
} headway_counters;
// What it has done since it was made.
HEADWAY_API headway_status headway_sequence_counters(const headway_sequence* sequence,
                                                     headway_counters* out);
enum { HEADWAY_LAYER_SHARD_NS = 0, HEADWAY_HEAD_SHARD_NS = 1, HEADWAY_STEP_NS = 2 };
// Nanoseconds: of each layer shard and of each head shard, summed over the steps, or of single steps.
HEADWAY_API headway_status headway_sequence_times(const headway_sequence* sequence, int32_t which,
                                                  uint64_t* ns, size_t capacity, size_t* count);
enum {
  HEADWAY_DRAFTED = 0,
  HEADWAY_ACCEPTED = 1,
  HEADWAY_PROBE_DRAFTED = 2,
  HEADWAY_PROBE_ACCEPTED = 3
};
// Drafts of lookup, element n: those that an n-gram of n tokens gave; empty: there were none.
HEADWAY_API headway_status headway_sequence_ngrams(const headway_sequence* sequence, int32_t which,
                                                   uint64_t* drafts, size_t capacity,
                                                   size_t* count);

#ifdef __cplusplus
}
#endif
// NOLINTEND(readability-identifier-naming,modernize-use-using)

#include "headway/generation.h"  // IWYU pragma: export
