/* Sequences, steps of many, whole generations: the C++ API's tokens. */

#include <pthread.h>
#include <string.h>

#include "c_api_test.h"
#include "engine_tokens.h"

#define SCHEMA "{\"enum\": [\"a fox\", \"a bear\"]}"
enum { NEW_TOKENS = 24 };

static int same(const int32_t* a, int num_a, const int32_t* b, int num_b) {
  return num_a == num_b && memcmp(a, b, sizeof(int32_t) * (size_t)num_a) == 0;
}

static void test_one_sequence(const char* model, headway_engine* engine, float temperature,
                              const char* schema) {
  int32_t expected[NEW_TOKENS];
  int32_t found[NEW_TOKENS];
  const int num_expected =
      engine_tokens(model, "full:2", STORY, temperature, 7, schema, expected, NEW_TOKENS);
  EXPECT(num_expected > 1);
  const headway_sampling sampling = {
      .size = sizeof sampling, .temperature = temperature, .seed = 7};
  headway_sequence_options options = {
      .size = sizeof options, .sampling = &sampling, .json_schema = schema};
  for (int speculate = 0; speculate < 2; ++speculate) {
    options.speculate = speculate;
    headway_sequence* sequence = new_sequence(engine, &options, STORY);
    const int num_found = decode(engine, sequence, NEW_TOKENS, found);
    EXPECT(same(expected, num_expected, found, num_found));
    headway_sequence_free(sequence);

    const headway_generate_options generate = {
        .size = sizeof generate, .sequence = &options, .max_new_tokens = NEW_TOKENS};
    int32_t prompt[MOST_TOKENS];
    const size_t num_prompt = tokenize(engine, STORY, prompt);
    headway_generation* generation = NULL;
    headway_generated made = {.size = sizeof made};
    headway_counters counters = {.size = sizeof counters};
    OK(headway_generate(engine, prompt, num_prompt, &generate, &generation));
    OK(headway_generation_describe(generation, &made));
    OK(headway_generation_counters(generation, &counters));
    EXPECT(same(expected, num_expected, made.ids, (int)made.num_ids));
    EXPECT(strlen(made.text) == made.num_bytes && counters.prefill_tokens == num_prompt);
    headway_generation_free(generation);
  }
}

/* Three that decode and one that reads its prompt beside them get what each gets alone. */
static void test_batch(headway_engine* engine) {
  const char* prompts[4] = {STORY, "The fox", "A little bear", "In the morning the postman"};
  int32_t alone[4][NEW_TOKENS];
  int32_t together[4][NEW_TOKENS];
  headway_row rows[4];
  memset(rows, 0, sizeof rows);
  for (int i = 0; i < 4; ++i) {
    headway_sequence* sequence = new_sequence(engine, NULL, prompts[i]);
    EXPECT(decode(engine, sequence, 8, alone[i]) == 8);
    headway_sequence_free(sequence);
    rows[i].size = sizeof rows[i];
    rows[i].sequence = new_sequence(engine, NULL, i < 3 ? prompts[i] : NULL);
  }
  int32_t ids[MOST_TOKENS];
  size_t count = tokenize(engine, prompts[3], ids);
  OK(headway_sequence_append_unread(rows[3].sequence, ids, count));
  rows[3].read_tokens = 2;
  int made[4] = {0, 0, 0, 0};
  while (made[3] < 8) {
    headway_sequence_state state = {.size = sizeof state};
    OK(headway_step(engine, rows, 4));
    for (int i = 0; i < 4; ++i) {
      headway_choice choice = {.size = sizeof choice};
      if (rows[i].read_tokens > 0) continue;
      EXPECT(rows[i].num_choices == 1);
      OK(headway_sequence_choice(rows[i].sequence, 0, &choice));
      if (made[i] < 8) together[i][made[i]++] = choice.token;
    }
    OK(headway_sequence_describe(rows[3].sequence, &state));
    if (state.num_pending == 0) rows[3].read_tokens = 0;
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT(same(alone[i], 8, together[i], 8));
    headway_sequence_free(rows[i].sequence);
  }
}

static void test_sharing(headway_engine* engine) {
  int32_t first[NEW_TOKENS];
  int32_t second[NEW_TOKENS];
  headway_sequence* original = new_sequence(engine, NULL, STORY);
  headway_sequence* copy = new_sequence(engine, NULL, NULL);
  headway_sequence_state state = {.size = sizeof state};
  OK(headway_sequence_describe(original, &state));
  int64_t shared = 0;
  OK(headway_sequence_share(copy, original, 1000, &shared));
  EXPECT(shared == state.num_tokens);
  EXPECT(decode(engine, original, 8, first) == 8 && decode(engine, copy, 8, second) == 8);
  EXPECT(same(first, 8, second, 8));
  OK(headway_sequence_truncate(copy, shared));
  EXPECT(decode(engine, copy, 8, second) == 8 && same(first, 8, second, 8));
  headway_sequence_free(original); /* before the one that shares with it */
  OK(headway_sequence_truncate(copy, shared));
  EXPECT(decode(engine, copy, 8, second) == 8 && same(first, 8, second, 8));
  headway_sequence_free(copy);
}

struct seen {
  headway_engine* engine;
  int64_t positions;
  int64_t states;
  int32_t best;
  headway_status nested;
};

static int32_t argmax(const float* logits, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; ++i)
    if (logits[i] > logits[best]) best = i;
  return (int32_t)best;
}

static void see_logits(void* user, int64_t position, const float* logits, size_t count) {
  struct seen* seen = user;
  EXPECT(position == seen->positions);
  ++seen->positions;
  seen->best = argmax(logits, count);
  headway_sequence* none = NULL;
  seen->nested = headway_sequence_new(seen->engine, NULL, &none);
}

static void see_hidden(void* user, int64_t first, const float* states, size_t num_positions,
                       size_t hidden_size) {
  struct seen* seen = user;
  EXPECT(first == seen->states && hidden_size > 0 && states[0] == states[0]);
  seen->states += (int64_t)num_positions;
}

static void test_logits(headway_engine* engine) {
  int32_t next = -1;
  const float* logits = NULL;
  const float* hidden = NULL;
  size_t count = 0;
  headway_summary summary = {.size = sizeof summary};
  OK(headway_describe(engine, &summary));
  headway_sequence* sequence = new_sequence(engine, NULL, NULL);
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_logits(sequence, &logits, &count));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_hidden(sequence, &hidden, &count));
  int32_t ids[MOST_TOKENS];
  const size_t num_ids = tokenize(engine, STORY, ids);
  struct seen seen = {.engine = engine};
  const headway_sink sink = {
      .size = sizeof sink, .user = &seen, .logits = see_logits, .hidden = see_hidden};
  OK(headway_sequence_append_with(sequence, ids, num_ids, &sink));
  EXPECT(seen.positions == (int64_t)num_ids && seen.states == (int64_t)num_ids);
  EXPECT(seen.nested == HEADWAY_INVALID_INPUT); /* no call from inside, and no waiting for ever */
  OK(headway_sequence_logits(sequence, &logits, &count));
  EXPECT(count == (size_t)summary.vocab_size && argmax(logits, count) == seen.best);
  OK(headway_sequence_hidden(sequence, &hidden, &count));
  EXPECT(count == (size_t)summary.hidden_size);
  EXPECT(decode(engine, sequence, 1, &next) == 1 && next == seen.best);
  headway_sequence_free(sequence);
}

static void* set_flag(void* flag) {
  OK(headway_cancel_set(flag, 1));
  return NULL;
}

static void cancel_from_elsewhere(void* user, const headway_choice* choice, const char* text,
                                  size_t num_bytes) {
  (void)text;
  (void)num_bytes;
  if (choice->token < 0) return;
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, set_flag, user) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
}

static void test_cancelling(headway_engine* engine) {
  int32_t ids[MOST_TOKENS];
  const size_t num_ids = tokenize(engine, STORY, ids);
  headway_cancel* flag = NULL;
  OK(headway_cancel_new(&flag));
  const headway_sequence_options options = {.size = sizeof options, .cancel = flag};
  const headway_generate_options generate = {.size = sizeof generate,
                                             .sequence = &options,
                                             .user = flag,
                                             .on_token = cancel_from_elsewhere};
  headway_generation* generation = NULL;
  headway_generated made = {.size = sizeof made};
  OK(headway_generate(engine, ids, num_ids, &generate, &generation));
  OK(headway_generation_describe(generation, &made));
  EXPECT(made.stop_reason == HEADWAY_STOP_CANCELLED && made.num_ids == 1);
  headway_generation_free(generation);

  headway_sequence* sequence = new_sequence(engine, &options, NULL);
  FAILS(HEADWAY_CANCELLED, headway_sequence_append(sequence, ids, num_ids));
  headway_row row = {.size = sizeof row, .sequence = sequence};
  FAILS(HEADWAY_CANCELLED, headway_step(engine, &row, 1));
  EXPECT(row.status == HEADWAY_CANCELLED && headway_sequence_error_text(sequence)[0] != '\0');
  OK(headway_cancel_set(flag, 0));
  headway_cancel_free(flag); /* the sequence keeps what it needs of it */
  OK(headway_step(engine, &row, 1));
  EXPECT(row.num_choices == 1);
  headway_sequence_free(sequence);
}

void test_decoding(const char* model, headway_engine* engine) {
  test_one_sequence(model, engine, 0.0F, "");
  test_one_sequence(model, engine, 0.9F, "");
  test_one_sequence(model, engine, 0.9F, SCHEMA);
  test_batch(engine);
  test_sharing(engine);
  test_logits(engine);
  test_cancelling(engine);
}

void test_certified(const char* model) {
  headway_engine* engine = open_model(model, "certified");
  int32_t expected[NEW_TOKENS];
  int32_t found[NEW_TOKENS];
  const int num_expected =
      engine_tokens(model, "certified", STORY, 0.0F, 0, "", expected, NEW_TOKENS);
  const headway_sequence_options options = {
      .size = sizeof options, .certificate = "deterministic", .audit_every = 1};
  headway_sequence* sequence = new_sequence(engine, &options, STORY);
  headway_certificate certificate = {.size = sizeof certificate};
  const int num_found = decode(engine, sequence, NEW_TOKENS, found);
  EXPECT(same(expected, num_expected, found, num_found));
  OK(headway_sequence_certificate(sequence, 0, &certificate));
  EXPECT(certificate.token == found[num_found - 1] && certificate.assumption != NULL);
  EXPECT(certificate.fallback || (certificate.deterministic && certificate.audited));
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_certificate(sequence, 1, &certificate));
  headway_close(engine); /* the sequence keeps the engine */
  headway_counters counters = {.size = sizeof counters};
  OK(headway_sequence_counters(sequence, &counters));
  EXPECT(counters.steps > 0 && counters.head_bytes_read > 0);
  headway_sequence_free(sequence);
}
