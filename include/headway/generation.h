#pragma once

// Whole generations, and evaluation: the part of the C API that needs no single steps. Included by
// headway/headway.h, whose rules hold here.

#include "headway/headway.h"

// NOLINTBEGIN(readability-identifier-naming,modernize-use-using): C's names
#ifdef __cplusplus
extern "C" {
#endif

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
// Goes on from a prompt of at least one id until the text ends. `options` may be null. A run stopped
// by its flag is a result. Errors: also HEADWAY_CORRUPT, _IO, _UNSUPPORTED, _GATE_FAILED.
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
  // When it is cut: with so many new tokens it is completed in time (finish); 0: not known.
  int64_t tokens_to_complete;
  int32_t kv;        // HEADWAY_KV_..., how keys and values were stored
  int32_t reserved;  // 0
} headway_generated;
// What was made.
HEADWAY_API headway_status headway_generation_describe(const headway_generation* generation,
                                                       headway_generated* out);
// The evidence of token number `index`, of num_certificates.
HEADWAY_API headway_status headway_generation_certificate(const headway_generation* generation,
                                                          size_t index, headway_certificate* out);
// What it took.
HEADWAY_API headway_status headway_generation_counters(const headway_generation* generation,
                                                       headway_counters* out);
// As headway_sequence_times() of a sequence.
HEADWAY_API headway_status headway_generation_times(const headway_generation* generation,
                                                    int32_t which, uint64_t* ns, size_t capacity,
                                                    size_t* count);
// As headway_sequence_ngrams() of a sequence.
HEADWAY_API headway_status headway_generation_ngrams(const headway_generation* generation,
                                                     int32_t which, uint64_t* drafts,
                                                     size_t capacity, size_t* count);
// Its ids, texts and numbers go with it.
HEADWAY_API void headway_generation_free(headway_generation* generation);

typedef struct headway_perplexity_options {
  size_t size;
  int64_t window_tokens;  // 0: 512
  int64_t max_windows;    // 0: all
  int32_t kv;             // HEADWAY_KV_...
  int32_t reserved;       // 0
} headway_perplexity_options;
typedef struct headway_perplexity_result {
  size_t size;
  double perplexity;      // exp of the mean surprise of a scored token
  double standard_error;  // of it
  int64_t windows;
  int64_t scored_tokens;  // the second halves of the windows
  int64_t text_tokens;
} headway_perplexity_result;
// Of a text, as llama.cpp's llama-perplexity computes it. `options` may be null. Errors: also
// HEADWAY_CORRUPT, _IO, _UNSUPPORTED (a head without logits).
HEADWAY_API headway_status headway_perplexity(headway_engine* engine, const char* text,
                                              size_t num_bytes,
                                              const headway_perplexity_options* options,
                                              headway_perplexity_result* out);

#ifdef __cplusplus
}
#endif
// NOLINTEND(readability-identifier-naming,modernize-use-using)
