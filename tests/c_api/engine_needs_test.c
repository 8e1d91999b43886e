/* What else the C++ API and the server have: how speculation looks things up, what it would have
 * given, times and more of a generation, alternatives, ways to compile a schema. */

#include <math.h>
#include <string.h>

#include "c_api_test.h"
#include "engine_tokens.h"

#define REPEATS "The fox said: one, two, three. The fox said: one, two,"
enum { NGRAMS = 17, NEW_TOKENS = 40 };

static headway_generation* generate(headway_engine* engine, const char* prompt,
                                    const headway_sequence_options* options, int64_t count) {
  int32_t ids[MOST_TOKENS];
  const size_t num_ids = tokenize(engine, prompt, ids);
  const headway_generate_options asked = {
      .size = sizeof asked, .sequence = options, .max_new_tokens = count, .ignore_end = 1};
  headway_generation* generation = NULL;
  OK(headway_generate(engine, ids, num_ids, &asked, &generation));
  if (generation == NULL) exit(1);
  return generation;
}

/* Out of the prompt's tokens, so that lookup finds something. */
static headway_sampling of_prompt(headway_engine* engine, int32_t* ids) {
  const size_t num_ids = tokenize(engine, REPEATS, ids);
  return (headway_sampling){
      .size = sizeof(headway_sampling), .allow_ids = ids, .num_allow_ids = num_ids};
}

/* By n-gram, and the rest 0. */
static void expect_ngrams(const uint64_t* expected, const uint64_t* found, size_t count) {
  EXPECT(count <= NGRAMS);
  for (size_t n = 0; n < NGRAMS; ++n) EXPECT((n < count ? found[n] : 0) == expected[n]);
}

/* Lookup with other n-grams, always as many drafts as there are: the C++ API's counts. */
static void test_lookup(const char* model, headway_engine* engine) {
  struct engine_drafts expected;
  uint64_t drafted[NGRAMS], accepted[NGRAMS];
  size_t num_drafted = 0, num_accepted = 0;
  int32_t allowed[MOST_TOKENS];
  const headway_sampling sampling = of_prompt(engine, allowed);
  headway_sequence_options options = {.size = sizeof options,
                                      .sampling = &sampling,
                                      .speculate = HEADWAY_SPECULATE_LOOKUP,
                                      .min_ngram = 1,
                                      .max_ngram = 3,
                                      .no_adapt = 1};
  EXPECT(engine_speculation(model, "full:2", REPEATS, 0, 1, 3, NEW_TOKENS, &expected) == 0);
  EXPECT(expected.drafted > 0);
  headway_generation* generation = generate(engine, REPEATS, &options, NEW_TOKENS);
  headway_counters counters = {.size = sizeof counters};
  OK(headway_generation_counters(generation, &counters));
  EXPECT(counters.speculation_drafted == expected.drafted);
  EXPECT(counters.speculation_accepted == expected.accepted);
  EXPECT(counters.probe_passes == 0 && counters.probe_drafted == 0);
  OK(headway_generation_ngrams(generation, HEADWAY_DRAFTED, drafted, NGRAMS, &num_drafted));
  OK(headway_generation_ngrams(generation, HEADWAY_ACCEPTED, accepted, NGRAMS, &num_accepted));
  expect_ngrams(expected.drafted_by_ngram, drafted, num_drafted);
  expect_ngrams(expected.accepted_by_ngram, accepted, num_accepted);
  FAILS(HEADWAY_INVALID_INPUT,
        headway_generation_ngrams(generation, 4, drafted, NGRAMS, &num_drafted));
  headway_generation_free(generation);

  /* A sequence's steps: only the n-grams asked for, and the tokens of plain decoding. */
  int32_t plain_ids[NEW_TOKENS], ids[NEW_TOKENS];
  const headway_sequence_options slow = {.size = sizeof slow, .sampling = &sampling};
  headway_sequence* plain = new_sequence(engine, &slow, REPEATS);
  options.min_ngram = options.max_ngram = 3;
  headway_sequence* sequence = new_sequence(engine, &options, REPEATS);
  const int num_plain = decode(engine, plain, NEW_TOKENS, plain_ids);
  EXPECT(decode(engine, sequence, NEW_TOKENS, ids) == num_plain);
  EXPECT(memcmp(ids, plain_ids, sizeof(int32_t) * (size_t)num_plain) == 0);
  OK(headway_sequence_counters(sequence, &counters));
  OK(headway_sequence_ngrams(sequence, HEADWAY_DRAFTED, drafted, NGRAMS, &num_drafted));
  OK(headway_sequence_ngrams(sequence, HEADWAY_ACCEPTED, accepted, NGRAMS, &num_accepted));
  EXPECT(num_drafted == 4 && drafted[3] == counters.speculation_drafted && drafted[3] > 0);
  EXPECT(num_accepted == 4 && accepted[3] == counters.speculation_accepted);
  EXPECT(drafted[0] == 0 && drafted[1] == 0 && drafted[2] == 0);
  OK(headway_sequence_ngrams(plain, HEADWAY_DRAFTED, drafted, NGRAMS, &num_drafted));
  EXPECT(num_drafted == 0);
  headway_sequence_free(plain);
  headway_sequence_free(sequence);
}

/* What lookup would have given, of a generation and of a sequence's steps. */
static void test_probe(const char* model, headway_engine* engine) {
  struct engine_drafts expected;
  uint64_t drafted[NGRAMS], accepted[NGRAMS];
  size_t num_drafted = 0, num_accepted = 0;
  headway_counters counters = {.size = sizeof counters};
  int32_t allowed[MOST_TOKENS];
  const headway_sampling sampling = of_prompt(engine, allowed);
  const headway_sequence_options options = {.size = sizeof options,
                                            .sampling = &sampling,
                                            .min_ngram = 2,
                                            .max_ngram = 5,
                                            .probe_lookup = 1};
  EXPECT(engine_speculation(model, "full:2", REPEATS, 1, 2, 5, NEW_TOKENS, &expected) == 0);
  EXPECT(expected.passes > 0 && expected.drafted > 0);
  headway_generation* generation = generate(engine, REPEATS, &options, NEW_TOKENS);
  OK(headway_generation_counters(generation, &counters));
  EXPECT(counters.probe_passes == expected.passes && counters.probe_tokens == expected.tokens);
  EXPECT(counters.probe_drafted == expected.drafted);
  EXPECT(counters.probe_accepted == expected.accepted && counters.speculation_drafted == 0);
  OK(headway_generation_ngrams(generation, HEADWAY_PROBE_DRAFTED, drafted, NGRAMS, &num_drafted));
  expect_ngrams(expected.drafted_by_ngram, drafted, num_drafted);
  headway_generated made = {.size = sizeof made};
  OK(headway_generation_describe(generation, &made));

  headway_sequence* sequence = new_sequence(engine, &options, REPEATS);
  for (size_t i = 0; i < made.num_ids; ++i) {
    headway_row row = {.size = sizeof row, .sequence = sequence};
    headway_choice choice = {.size = sizeof choice};
    OK(headway_step(engine, &row, 1));
    OK(headway_sequence_choice(sequence, 0, &choice));
    EXPECT(row.num_choices == 1 && choice.token == made.ids[i]);
    /* After each token: at a single one, a probe that is late by one may have the same counts. */
    const int64_t count = (int64_t)i + 1;
    EXPECT(engine_speculation(model, "full:2", REPEATS, 1, 2, 5, count, &expected) == 0);
    OK(headway_sequence_counters(sequence, &counters));
    EXPECT(counters.probe_passes == expected.passes && counters.probe_tokens == expected.tokens);
    EXPECT(counters.probe_drafted == expected.drafted);
    EXPECT(counters.probe_accepted == expected.accepted);
  }
  OK(headway_sequence_ngrams(sequence, HEADWAY_PROBE_ACCEPTED, accepted, NGRAMS, &num_accepted));
  expect_ngrams(expected.accepted_by_ngram, accepted, num_accepted);
  headway_sequence_free(sequence);
  headway_generation_free(generation);
}

static void test_bad_speculation(headway_engine* engine) {
  const headway_sequence_options bad[] = {
      {.size = sizeof bad[0], .speculate = 1, .min_ngram = 5, .max_ngram = 4},
      {.size = sizeof bad[0], .speculate = 1, .min_ngram = -1},
      {.size = sizeof bad[0], .speculate = 1, .max_ngram = 17},
      {.size = sizeof bad[0], .speculate = 1, .most_drafts = -1},
      {.size = sizeof bad[0], .probe_lookup = 1, .max_ngram = 17},
      {.size = sizeof bad[0], .probe_lookup = 1, .speculate = 1},
  };
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, STORY, ids);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    headway_sequence* sequence = NULL;
    headway_generation* generation = NULL;
    const headway_generate_options asked = {.size = sizeof asked, .sequence = &bad[i]};
    FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &bad[i], &sequence));
    FAILS(HEADWAY_INVALID_INPUT, headway_generate(engine, ids, count, &asked, &generation));
    EXPECT(sequence == NULL && generation == NULL);
  }
}

static void test_generation(headway_engine* engine) {
  uint64_t ns[NEW_TOKENS], sum = 0;
  size_t count = 0;
  const headway_sequence_options options = {.size = sizeof options, .kv = HEADWAY_KV_Q8_0};
  headway_generation* generation = generate(engine, STORY, &options, 8);
  headway_generated made = {.size = sizeof made};
  headway_counters counters = {.size = sizeof counters};
  OK(headway_generation_describe(generation, &made));
  OK(headway_generation_counters(generation, &counters));
  EXPECT(made.kv == HEADWAY_KV_Q8_0 && made.is_cut == 0 && made.tokens_to_complete == 0);
  OK(headway_generation_times(generation, HEADWAY_STEP_NS, ns, NEW_TOKENS, &count));
  EXPECT(count == counters.steps && count == 7); /* the first token is the prompt's */
  for (size_t i = 0; i < count; ++i) sum += ns[i];
  EXPECT(sum == counters.step_ns);
  OK(headway_generation_times(generation, HEADWAY_HEAD_SHARD_NS, ns, NEW_TOKENS, &count));
  EXPECT(count == 2 && ns[0] + ns[1] == counters.head_predict_shard_work_ns);
  FAILS(HEADWAY_INVALID_INPUT, headway_generation_times(generation, 3, ns, NEW_TOKENS, &count));
  headway_generation_free(generation);
}

/* How many tokens a text that was cut needs: with these it is complete. */
static void test_completing(headway_engine* engine) {
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, STORY, ids);
  headway_sequence_options options = {.size = sizeof options,
                                      .grammar = "root ::= \"(\" [a-z]+ \"!\" \")\"",
                                      .finish = HEADWAY_FINISH_NEVER};
  headway_generate_options asked = {
      .size = sizeof asked, .sequence = &options, .max_new_tokens = 1};
  headway_generation* generation = NULL;
  headway_generated made = {.size = sizeof made};
  OK(headway_generate(engine, ids, count, &asked, &generation));
  OK(headway_generation_describe(generation, &made));
  const int64_t needed = made.tokens_to_complete;
  EXPECT(made.is_cut == 1 && needed > 1 && needed <= 5 && made.kv == HEADWAY_KV_F16);
  headway_generation_free(generation);
  options.finish = HEADWAY_FINISH_ALWAYS;
  for (int64_t most = needed - 1; most <= needed; ++most) {
    asked.max_new_tokens = most;
    OK(headway_generate(engine, ids, count, &asked, &generation));
    OK(headway_generation_describe(generation, &made));
    EXPECT(made.is_cut == (most < needed));
    headway_generation_free(generation);
  }
}

static void test_alternatives(headway_engine* engine) {
  enum { BEST = 5 };
  int32_t ids[BEST];
  float logprobs[BEST], chosen = 1.0F;
  size_t count = 0;
  headway_sequence_options options = {.size = sizeof options, .want_logprobs = 1};
  headway_sequence* sequence = new_sequence(engine, &options, STORY);
  FAILS(HEADWAY_INVALID_INPUT,
        headway_sequence_alternatives(sequence, 0, ids, logprobs, BEST, &count, &chosen));
  headway_row row = {.size = sizeof row, .sequence = sequence};
  headway_choice choice = {.size = sizeof choice};
  OK(headway_step(engine, &row, 1));
  OK(headway_sequence_choice(sequence, 0, &choice));
  OK(headway_sequence_alternatives(sequence, 0, ids, logprobs, BEST, &count, &chosen));
  EXPECT(count == BEST && ids[0] == choice.token && chosen == logprobs[0]);
  EXPECT(fabsf(logprobs[0] - choice.logprob) < 1e-5F);
  for (int i = 1; i < BEST; ++i) EXPECT(logprobs[i] <= logprobs[i - 1]);
  OK(headway_sequence_alternatives(sequence, 1, ids, logprobs, BEST, &count, &chosen));
  EXPECT(count == 1 && ids[0] == choice.token && logprobs[0] == 0.0F && chosen == 0.0F);
  FAILS(HEADWAY_INVALID_INPUT,
        headway_sequence_alternatives(sequence, 0, ids, logprobs, 0, &count, NULL));
  headway_sequence_free(sequence);

  const headway_sampling sampling = {
      .size = sizeof sampling, .temperature = 1.5F, .top_k = 3, .seed = 5};
  options.sampling = &sampling;
  sequence = new_sequence(engine, &options, STORY);
  row.sequence = sequence;
  OK(headway_step(engine, &row, 1));
  OK(headway_sequence_choice(sequence, 0, &choice));
  OK(headway_sequence_alternatives(sequence, 1, ids, logprobs, BEST, &count, &chosen));
  float sum = 0.0F;
  int found = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += expf(logprobs[i]);
    found += ids[i] == choice.token && logprobs[i] == chosen;
  }
  EXPECT(count == 3 && found == 1 && fabsf(sum - 1.0F) < 1e-5F);
  OK(headway_sequence_alternatives(sequence, 0, ids, logprobs, 1, &count, &chosen));
  EXPECT(count == 1 && fabsf(chosen - choice.logprob) < 1e-5F);
  headway_sequence_free(sequence);

  options = (headway_sequence_options){.size = sizeof options, .grammar = "root ::= \" fox\""};
  row.sequence = sequence = new_sequence(engine, &options, STORY);
  OK(headway_step(engine, &row, 1)); /* maybe without logits */
  FAILS(HEADWAY_INVALID_INPUT,
        headway_sequence_alternatives(sequence, 0, ids, logprobs, 1, &count, NULL));
  headway_sequence_free(sequence);
}

/* White space and other properties of a schema that is compiled once. */
static void test_schemas(headway_engine* engine) {
  const char* const schema =
      "{\"properties\": {\"animal\": {\"enum\": [\"fox\", \"bear\"]}}, "
      "\"required\": [\"animal\"]}";
  headway_grammar_options ways = {
      .size = sizeof ways, .json_schema = schema, .json_whitespace = HEADWAY_JSON_WHITESPACE_FREE};
  headway_grammar* grammar = NULL;
  OK(headway_grammar_new_with(&ways, &grammar));
  headway_sequence_options options = {.size = sizeof options, .compiled = grammar};
  headway_sequence* compiled = new_sequence(engine, &options, STORY);
  options = (headway_sequence_options){.size = sizeof options,
                                       .json_schema = schema,
                                       .json_whitespace = HEADWAY_JSON_WHITESPACE_FREE};
  headway_sequence* text = new_sequence(engine, &options, STORY);
  int32_t one[16], other[16];
  const int count = decode(engine, compiled, 16, one);
  EXPECT(count > 1 && decode(engine, text, 16, other) == count);
  EXPECT(memcmp(one, other, sizeof(int32_t) * (size_t)count) == 0);
  headway_sequence_free(compiled);
  headway_sequence_free(text);
  headway_grammar_free(grammar);

  grammar = NULL;
  ways = (headway_grammar_options){.size = sizeof ways, .gbnf = "root ::= \"a\""};
  ways.json_any_properties = 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new_with(&ways, &grammar));
  ways.json_any_properties = 0;
  ways.json_whitespace = 2;
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new_with(&ways, &grammar));
  ways.json_whitespace = HEADWAY_JSON_WHITESPACE_FREE;
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new_with(&ways, &grammar));
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new_with(NULL, &grammar));
  EXPECT(grammar == NULL);
}

/* After the brace that begins an object, how many tokens may come: for one property, or any. */
static size_t ways_on(headway_engine* engine, int32_t any_properties) {
  enum { BEST = 64 };
  const headway_grammar_options ways = {
      .size = sizeof ways,
      .json_schema = "{\"properties\": {\"zebra\": {\"type\": \"boolean\"}}}",
      .json_any_properties = any_properties};
  headway_grammar* grammar = NULL;
  OK(headway_grammar_new_with(&ways, &grammar));
  int32_t brace[MOST_TOKENS];
  size_t num_brace = 0, count = 0;
  OK(headway_tokenize(engine, "{", 1, HEADWAY_NO_MARKS, brace, MOST_TOKENS, &num_brace));
  const float favour = 1000.0F;
  const headway_sampling sampling = {.size = sizeof sampling,
                                     .temperature = 1.0F,
                                     .bias_ids = &brace[num_brace - 1],
                                     .biases = &favour,
                                     .num_biases = 1};
  const headway_sequence_options options = {
      .size = sizeof options, .sampling = &sampling, .compiled = grammar, .want_logprobs = 1};
  headway_sequence* sequence = new_sequence(engine, &options, STORY);
  headway_row row = {.size = sizeof row, .sequence = sequence};
  headway_choice choice = {.size = sizeof choice};
  OK(headway_step(engine, &row, 1));
  OK(headway_sequence_choice(sequence, 0, &choice));
  EXPECT(choice.token == brace[num_brace - 1]);
  OK(headway_step(engine, &row, 1));
  int32_t ids[BEST];
  float logprobs[BEST];
  OK(headway_sequence_alternatives(sequence, 1, ids, logprobs, BEST, &count, NULL));
  headway_sequence_free(sequence);
  headway_grammar_free(grammar);
  return count;
}

void test_engine_needs(const char* model, headway_engine* engine) {
  test_lookup(model, engine);
  test_probe(model, engine);
  test_bad_speculation(engine);
  test_generation(engine);
  test_completing(engine);
  test_alternatives(engine);
  test_schemas(engine);
  EXPECT(ways_on(engine, 0) < ways_on(engine, 1));
}
