/* What makes no sense is an error that says so, and leaves everything usable. */

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "c_api_test.h"

static void test_nulls(headway_engine* engine) {
  int32_t id = 0;
  size_t count = 0;
  const char* text = NULL;
  const float* floats = NULL;
  int64_t shared = 0;
  headway_engine* other = NULL;
  headway_stream* stream = NULL;
  int32_t is_set = 0;
  headway_sequence* sequence = NULL;
  headway_row row = {.size = sizeof row};
  const headway_status bad = HEADWAY_INVALID_INPUT;
  FAILS(bad, headway_open(NULL, NULL, &other));
  FAILS(bad, headway_open("x", NULL, NULL));
  FAILS(bad, headway_describe(NULL, NULL));
  FAILS(bad, headway_describe(engine, NULL));
  FAILS(bad, headway_tokenize(NULL, "a", 1, 0, &id, 1, &count));
  FAILS(bad, headway_tokenize(engine, NULL, 1, 0, &id, 1, &count));
  FAILS(bad, headway_tokenize(engine, "a", 1, 0, NULL, 1, &count));
  FAILS(bad, headway_tokenize(engine, "a", 1, 0, &id, 1, NULL));
  FAILS(bad, headway_tokenize(engine, "a", 1, 1U << 31, &id, 1, &count));
  FAILS(bad, headway_detokenize(engine, NULL, 1, 0, NULL, 0, &count));
  FAILS(bad, headway_tokenize_chat(engine, NULL, NULL, &id, 1, &count));
  FAILS(bad, headway_is_end_token(engine, 0, NULL));
  const char* const no_texts[] = {"a", ""};
  FAILS(bad, headway_stream_new(engine, 0, NULL, 0, NULL));
  FAILS(bad, headway_stream_new(engine, 0, NULL, 1, &stream));
  FAILS(bad, headway_stream_new(engine, 0, no_texts, 2, &stream));
  FAILS(bad, headway_stream_stopped(NULL, &is_set));
  FAILS(bad, headway_stream_push(NULL, 0, &text, &count));
  FAILS(bad, headway_stream_finish(NULL, &text, &count));
  FAILS(bad, headway_sequence_new(NULL, NULL, &sequence));
  FAILS(bad, headway_sequence_new(engine, NULL, NULL));
  FAILS(bad, headway_sequence_append(NULL, &id, 1));
  FAILS(bad, headway_sequence_append_unread(NULL, &id, 1));
  FAILS(bad, headway_sequence_append_with(NULL, &id, 1, NULL));
  FAILS(bad, headway_sequence_truncate(NULL, 0));
  FAILS(bad, headway_sequence_share(NULL, NULL, 0, &shared));
  FAILS(bad, headway_sequence_describe(NULL, NULL));
  FAILS(bad, headway_sequence_tokens(NULL, &id, 1, &count));
  FAILS(bad, headway_sequence_choice(NULL, 0, NULL));
  FAILS(bad, headway_sequence_certificate(NULL, 0, NULL));
  FAILS(bad, headway_sequence_counters(NULL, NULL));
  FAILS(bad, headway_sequence_times(NULL, 0, NULL, 0, &count));
  FAILS(bad, headway_sequence_logits(NULL, &floats, &count));
  FAILS(bad, headway_sequence_hidden(NULL, &floats, &count));
  FAILS(bad, headway_step(NULL, &row, 1));
  FAILS(bad, headway_step(engine, NULL, 1));
  FAILS(bad, headway_step(engine, &row, 0));
  FAILS(bad, headway_step(engine, &row, 1));
  FAILS(bad, headway_step(engine, &row, SIZE_MAX));
  FAILS(bad, headway_generate(NULL, &id, 1, NULL, NULL));
  FAILS(bad, headway_generate(engine, &id, 1, NULL, NULL));
  FAILS(bad, headway_generation_describe(NULL, NULL));
  FAILS(bad, headway_generation_certificate(NULL, 0, NULL));
  FAILS(bad, headway_generation_counters(NULL, NULL));
  FAILS(bad, headway_perplexity(NULL, "a", 1, NULL, NULL));
  FAILS(bad, headway_cancel_new(NULL));
  EXPECT(headway_cancel_set(NULL, 1) == bad && headway_sequence_error_text(NULL) == NULL);
  headway_close(NULL);
  headway_sequence_free(NULL);
  headway_stream_free(NULL);
  headway_generation_free(NULL);
  headway_cancel_free(NULL);
}

static void test_wrong_sizes(headway_engine* engine) {
  headway_sequence* sequence = NULL;
  headway_summary summary = {.size = 8};
  FAILS(HEADWAY_INVALID_INPUT, headway_describe(engine, &summary));
  headway_sequence_options options = {.size = 0};
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.size = SIZE_MAX;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.size = sizeof options - 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.size = sizeof options;
  options.finish = 3;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.finish = HEADWAY_FINISH_NEVER;
  options.json_whitespace = 2;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.json_whitespace = HEADWAY_JSON_WHITESPACE_FREE; /* of no schema */
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.json_schema = "{}";
  OK(headway_sequence_new(engine, &options, &sequence));
  headway_sequence_free(sequence);
  /* An earlier version's struct ends before it. */
  options.size = offsetof(headway_sequence_options, json_whitespace);
  OK(headway_sequence_new(engine, &options, &sequence));
  headway_sequence_free(sequence);
  /* A later version's struct: fine while what this version does not know is 0. */
  struct {
    headway_sequence_options known;
    int64_t later;
  } longer = {.known = {.size = sizeof longer}};
  OK(headway_sequence_new(engine, &longer.known, &sequence));
  headway_sequence_free(sequence);
  longer.later = 1;
  FAILS(HEADWAY_UNSUPPORTED, headway_sequence_new(engine, &longer.known, &sequence));
}

static void test_values(headway_engine* engine) {
  headway_engine* other = NULL;
  FAILS(HEADWAY_NOT_FOUND, headway_open("/no/such/model.gguf", NULL, &other));
  headway_open_options open = {.size = sizeof open, .threads = -1};
  FAILS(HEADWAY_INVALID_INPUT, headway_open(".", &open, &other));
  open.threads = 1;
  open.load = 77;
  FAILS(HEADWAY_INVALID_INPUT, headway_open(".", &open, &other));
  EXPECT(other == NULL);
  FAILS(HEADWAY_INVALID_INPUT, headway_describe(other, NULL)); /* used after its error */

  headway_sequence* sequence = NULL;
  headway_sampling sampling = {.size = sizeof sampling};
  headway_sequence_options options = {.size = sizeof options, .sampling = &sampling};
  const float bad_temperatures[] = {-1.0F, NAN, INFINITY};
  for (int i = 0; i < 3; ++i) {
    sampling.temperature = bad_temperatures[i];
    FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  }
  sampling.temperature = 0.0F;
  const int32_t far_id = INT32_MAX;
  sampling.allow_ids = &far_id;
  sampling.num_allow_ids = 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  sampling.allow_ids = NULL;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  sampling.num_allow_ids = 0;
  options.kv = 9;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.kv = HEADWAY_KV_F16;
  options.speculate = HEADWAY_SPECULATE_DRAFT_MODEL;
  FAILS(HEADWAY_UNSUPPORTED, headway_sequence_new(engine, &options, &sequence));
  options.speculate = -1;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.speculate = 0;
  options.capacity_tokens = -5;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.capacity_tokens = INT64_MAX;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.capacity_tokens = 0;
  options.grammar = "root ::= (";
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.grammar = NULL;
  options.json_schema = "{";
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  options.json_schema = NULL;
  options.certificate = "deterministic"; /* of a head that has none to give */
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &sequence));
  EXPECT(sequence == NULL);
}

static void test_sequences(headway_engine* engine) {
  headway_sequence* sequence = new_sequence(engine, NULL, NULL);
  headway_row rows[2] = {{.size = sizeof rows[0], .sequence = sequence},
                         {.size = sizeof rows[0], .sequence = sequence}};
  const int32_t bad_ids[] = {-1, INT32_MAX};
  int32_t out = 0;
  size_t count = 0;
  int64_t shared = 0;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1)); /* no token yet */
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 2)); /* twice the same */
  for (int i = 0; i < 2; ++i) {
    FAILS(HEADWAY_INVALID_INPUT, headway_sequence_append(sequence, &bad_ids[i], 1));
    FAILS(HEADWAY_INVALID_INPUT, headway_sequence_append_unread(sequence, &bad_ids[i], 1));
    FAILS(HEADWAY_INVALID_INPUT, headway_is_end_token(engine, bad_ids[i], &out));
    FAILS(HEADWAY_INVALID_INPUT, headway_detokenize(engine, &bad_ids[i], 1, 0, NULL, 0, &count));
  }
  int32_t ids[MOST_TOKENS] = {0};
  count = tokenize(engine, STORY, ids);
  OK(headway_sequence_append(sequence, ids, count));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_share(sequence, sequence, 1, &shared));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_truncate(sequence, -1));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_truncate(sequence, INT64_MAX));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_times(sequence, 99, NULL, 0, &count));
  rows[0].drafts = bad_ids;
  rows[0].num_drafts = 2;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1));
  EXPECT(rows[0].status == HEADWAY_INVALID_INPUT);
  rows[0].read_tokens = 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1));
  rows[0].drafts = NULL;
  rows[0].num_drafts = 0;
  rows[0].read_tokens = -1;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1));
  rows[0].read_tokens = 0;
  rows[0].size = 3;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1));
  rows[0].size = sizeof rows[0] + 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1));
  rows[0].size = sizeof rows[0];
  OK(headway_step(engine, rows, 1)); /* after all these errors */
  EXPECT(rows[0].num_choices == 1);
  headway_sequence_free(sequence);

  const headway_sequence_options tight = {.size = sizeof tight, .capacity_tokens = 2};
  OK(headway_sequence_new(engine, &tight, &sequence));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_append(sequence, ids, MOST_TOKENS / 2));
  OK(headway_sequence_append(sequence, ids, 2));
  rows[0].sequence = sequence;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 1)); /* full */
  headway_sequence_free(sequence);
}

void test_bad_arguments(headway_engine* engine) {
  test_nulls(engine);
  test_wrong_sizes(engine);
  test_values(engine);
  test_sequences(engine);
}
