/* Structs of other headers than the library's: of the first ones, which were shorter, and of later
 * ones, which are longer. What an older program lacks has its default, and nothing behind its memory
 * is touched; what a later one asks for and this version does not know is refused by name. */

#include <string.h>

#include "c_api_test.h"

/* What a program of the first header has: the struct's beginning, and memory that is not its own. */
enum { GUARD = 16 };
#define FIRST(type, bytes)                             \
  union {                                              \
    type members;                                      \
    unsigned char raw[(bytes) + GUARD + sizeof(type)]; \
  }
#define BEGIN(first, bytes)                       \
  do {                                            \
    memset((first).raw, 0xA5, sizeof(first).raw); \
    memset((first).raw, 0, (bytes));              \
    (first).members.size = (bytes);               \
  } while (0)

static int untouched(const unsigned char* raw, size_t bytes) {
  for (size_t i = 0; i < GUARD; ++i)
    if (raw[bytes + i] != 0xA5) return 0;
  return 1;
}

/* headway_counters had no meetings, 288 bytes; headway_generate_options no stop strings, 48. */
static void test_first(headway_engine* engine) {
  FIRST(headway_counters, 288) counters;
  FIRST(headway_generate_options, 48) options;
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, STORY, ids);
  headway_generation* generation = NULL;
  BEGIN(options, 48); /* behind it: stop strings that nobody gave */
  options.members.max_new_tokens = 5;
  OK(headway_generate(engine, ids, count, &options.members, &generation));
  EXPECT(untouched(options.raw, 48));
  BEGIN(counters, 288);
  OK(headway_generation_counters(generation, &counters.members));
  EXPECT(untouched(counters.raw, 288) && counters.members.size == 288);
  EXPECT(counters.members.prefill_tokens == count && counters.members.logits_hash != 0);
  headway_generation_free(generation);
  headway_sequence* sequence = new_sequence(engine, NULL, STORY);
  EXPECT(decode(engine, sequence, 2, ids) == 2);
  BEGIN(counters, 288);
  OK(headway_sequence_counters(sequence, &counters.members));
  EXPECT(untouched(counters.raw, 288) && counters.members.steps == 1); /* and the first token */
  counters.members.size = 280; /* shorter than any header's */
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_counters(sequence, &counters.members));
  counters.members.size = 290; /* no multiple of 8 */
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_counters(sequence, &counters.members));
  headway_sequence_free(sequence);
}

/* The others that grew since: what stands behind their first bytes is not read and not written. */
static void test_grown(headway_engine* engine) {
  FIRST(headway_summary, 144) summary;
  FIRST(headway_sequence_state, 48) state;
  FIRST(headway_sequence_options, 104) options;
  FIRST(headway_chat_options, 40) chat;
  FIRST(headway_open_options, 80) open;
  const char* const messages = "[{\"role\": \"user\", \"content\": \"Hi\"}]";
  size_t count = 0;
  size_t expected = 0;
  BEGIN(summary, 144);
  OK(headway_describe(engine, &summary.members));
  EXPECT(untouched(summary.raw, 144) && summary.members.vocab_size > 1000);
  BEGIN(options, 88);
  headway_sequence* sequence = new_sequence(engine, &options.members, STORY);
  BEGIN(state, 48);
  OK(headway_sequence_describe(sequence, &state.members));
  EXPECT(untouched(state.raw, 48) && state.members.num_tokens > 0);
  headway_sequence_free(sequence);
  FIRST(headway_generated, 64) made;
  const headway_generate_options five = {.size = sizeof five, .max_new_tokens = 5};
  int32_t ids[MOST_TOKENS];
  headway_generation* generation = NULL;
  OK(headway_generate(engine, ids, tokenize(engine, STORY, ids), &five, &generation));
  BEGIN(made, 64);
  OK(headway_generation_describe(generation, &made.members));
  EXPECT(untouched(made.raw, 64) && made.members.num_ids == 5);
  headway_generation_free(generation);
  BEGIN(options, 104); /* before the lengths of n-grams, which are behind it */
  options.members.speculate = HEADWAY_SPECULATE_LOOKUP;
  sequence = new_sequence(engine, &options.members, STORY);
  headway_sequence_free(sequence);
  BEGIN(chat, 40);
  OK(headway_tokenize_chat(engine, messages, &chat.members, NULL, 0, &count));
  OK(headway_tokenize_chat(engine, messages, NULL, NULL, 0, &expected));
  EXPECT(count == expected);
  headway_engine* again = NULL;
  headway_summary opened = {.size = sizeof opened};
  OK(headway_describe(engine, &opened));
  BEGIN(open, 80);
  open.members.threads = 1;
  OK(headway_open(opened.package_directory, &open.members, &again));
  headway_close(again);
}

static void test_later(headway_engine* engine) {
  headway_sequence* sequence = NULL;
  struct {
    headway_sequence_options known;
    int64_t later;
  } options = {.known = {.size = sizeof options}};
  OK(headway_sequence_new(engine, &options.known, &sequence));
  headway_sequence_free(sequence);
  options.later = 1;
  FAILS(HEADWAY_UNSUPPORTED, headway_sequence_new(engine, &options.known, &sequence));
  struct {
    headway_summary known;
    int64_t later[2];
  } summary = {.known = {.size = sizeof summary}, .later = {7, 7}};
  OK(headway_describe(engine, &summary.known)); /* what this version does not know is 0 */
  EXPECT(summary.known.size == sizeof summary && summary.known.vocab_size > 1000);
  EXPECT(summary.later[0] == 0 && summary.later[1] == 0);
}

/* Rows of the first header, 48 bytes each, one behind the other. */
static void test_short_rows(headway_engine* engine) {
  enum { BYTES = 48, ROWS = 3 };
  union {
    uint64_t aligned[ROWS * BYTES / sizeof(uint64_t)];
    unsigned char raw[ROWS * BYTES];
  } rows;
  headway_sequence* sequences[ROWS];
  headway_row row;
  for (int i = 0; i < ROWS; ++i) {
    sequences[i] = new_sequence(engine, NULL, i == 1 ? "The fox" : STORY);
    row = (headway_row){.size = BYTES, .sequence = sequences[i], .status = HEADWAY_INTERNAL};
    memcpy(rows.raw + i * BYTES, &row, BYTES);
  }
  OK(headway_step(engine, (headway_row*)(void*)rows.aligned, ROWS));
  int32_t tokens[ROWS];
  for (int i = 0; i < ROWS; ++i) {
    headway_choice choice = {.size = sizeof choice};
    memcpy(&row, rows.raw + i * BYTES, BYTES);
    EXPECT(row.size == BYTES && row.sequence == sequences[i]);
    EXPECT(row.status == HEADWAY_OK && row.num_choices == 1);
    OK(headway_sequence_choice(sequences[i], 0, &choice));
    tokens[i] = choice.token;
    headway_sequence_free(sequences[i]);
  }
  EXPECT(tokens[0] == tokens[2]);
}

/* Rows lie as far apart as their caller's header says. */
static void test_rows(headway_engine* engine) {
  struct {
    headway_row known;
    int64_t later;
  } rows[3];
  memset(rows, 0, sizeof rows);
  int32_t alone[2];
  for (int i = 0; i < 3; ++i) {
    rows[i].known.size = sizeof rows[i];
    rows[i].known.sequence = new_sequence(engine, NULL, i == 1 ? "The fox" : STORY);
    rows[i].known.status = HEADWAY_INTERNAL;
  }
  for (int i = 0; i < 2; ++i) {
    headway_sequence* sequence = new_sequence(engine, NULL, i == 1 ? "The fox" : STORY);
    EXPECT(decode(engine, sequence, 1, &alone[i]) == 1);
    headway_sequence_free(sequence);
  }
  rows[2].later = 1;
  FAILS(HEADWAY_UNSUPPORTED, headway_step(engine, &rows[0].known, 3));
  EXPECT(rows[0].known.status == HEADWAY_INTERNAL); /* no row ran */
  rows[2].later = 0;
  OK(headway_step(engine, &rows[0].known, 3));
  for (int i = 0; i < 3; ++i) {
    headway_choice choice = {.size = sizeof choice};
    EXPECT(rows[i].known.status == HEADWAY_OK && rows[i].known.num_choices == 1);
    EXPECT(rows[i].known.size == sizeof rows[i]);
    OK(headway_sequence_choice(rows[i].known.sequence, 0, &choice));
    EXPECT(choice.token == alone[i % 2]);
    headway_sequence_free(rows[i].known.sequence);
  }
}

void test_sizes(headway_engine* engine) {
  test_first(engine);
  test_grown(engine);
  test_short_rows(engine);
  test_later(engine);
  test_rows(engine);
}
