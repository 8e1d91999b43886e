/* Who hears of packing and of prompts that are read, and stops them. */

#include <string.h>

#include "c_api_test.h"
#include "engine_tokens.h"

enum { MOST_WORKS = 4, LONG_PROMPT = 400, HUNDREDTHS = 101 };

struct work {
  char name[64];
  int64_t done, total;
  int calls;
};

/* Works in the order in which they were heard of. */
struct heard {
  struct work works[MOST_WORKS];
  size_t num_works;
  headway_engine* engine; /* another one, which nobody may use meanwhile */
  headway_cancel* stop;   /* at the first word; null: never */
};

static void hear(void* user, const char* work, int64_t done, int64_t total) {
  struct heard* heard = user;
  headway_sequence* none = NULL;
  EXPECT(headway_sequence_new(heard->engine, NULL, &none) == HEADWAY_INVALID_INPUT);
  if (heard->num_works == 0 || strcmp(heard->works[heard->num_works - 1].name, work) != 0) {
    EXPECT(heard->num_works < MOST_WORKS && strlen(work) < sizeof heard->works[0].name);
    if (heard->num_works == MOST_WORKS) return;
    struct work* begun = &heard->works[heard->num_works++];
    strncpy(begun->name, work, sizeof begun->name - 1);
    begun->done = -1;
    begun->total = total;
  }
  struct work* now = &heard->works[heard->num_works - 1];
  EXPECT(done > now->done && done <= total && total == now->total);
  now->done = done;
  ++now->calls;
  if (heard->stop != NULL) OK(headway_cancel_set(heard->stop, 1));
}

static const struct work* find(const struct heard* heard, const char* name) {
  for (size_t i = 0; i < heard->num_works; ++i)
    if (strcmp(heard->works[i].name, name) == 0) return &heard->works[i];
  return NULL;
}

static void test_packing(const char* model, headway_engine* engine) {
  struct heard heard = {.engine = engine};
  EXPECT(no_directory("progress_cache") == 0);
  headway_open_options options = {.size = sizeof options,
                                  .head = "certified",
                                  .cache_directory = "progress_cache",
                                  .threads = 1,
                                  .user = &heard,
                                  .progress = hear};
  headway_engine* opened = NULL;
  OK(headway_cancel_new(&heard.stop));
  options.cancel = heard.stop;
  FAILS(HEADWAY_CANCELLED, headway_open(model, &options, &opened));
  EXPECT(opened == NULL && heard.num_works == 1 && heard.works[0].calls == 1);
  OK(headway_cancel_set(heard.stop, 0));
  headway_cancel_free(heard.stop);

  heard = (struct heard){.engine = engine};
  options.cancel = NULL;
  OK(headway_open(model, &options, &opened));
  headway_close(opened);
  const char* const works[] = {"packing", "certified head"};
  for (int i = 0; i < 2; ++i) {
    const struct work* work = find(&heard, works[i]);
    EXPECT(work != NULL);
    if (work == NULL) continue;
    EXPECT(work->done == work->total && work->calls > 2 && work->calls <= HUNDREDTHS);
  }
  heard = (struct heard){.engine = engine}; /* it is packed: there is nothing to hear of */
  OK(headway_open(model, &options, &opened));
  headway_close(opened);
  EXPECT(heard.num_works == 0);
}

/* Once for each reading of the weights. */
static void test_reading(headway_engine* engine) {
  struct heard heard = {.engine = engine};
  headway_summary summary = {.size = sizeof summary};
  OK(headway_describe(engine, &summary));
  const int calls = (int)((LONG_PROMPT + summary.max_rows - 1) / summary.max_rows);
  EXPECT(calls > 1);
  int32_t ids[LONG_PROMPT];
  const size_t count = tokenize(engine, STORY, ids);
  for (size_t i = count; i < LONG_PROMPT; ++i) ids[i] = ids[i - count + 1];
  headway_sequence_options options = {.size = sizeof options, .user = &heard, .progress = hear};
  headway_sequence* sequence = new_sequence(engine, &options, NULL);
  OK(headway_sequence_append(sequence, ids, LONG_PROMPT));
  EXPECT(heard.num_works == 1 && strcmp(heard.works[0].name, "prefill") == 0);
  EXPECT(heard.works[0].done == LONG_PROMPT && heard.works[0].total == LONG_PROMPT);
  EXPECT(heard.works[0].calls == calls);
  headway_row row = {.size = sizeof row, .sequence = sequence};
  OK(headway_step(engine, &row, 1));
  EXPECT(heard.works[0].calls == calls && heard.num_works == 1); /* of single tokens nothing */
  headway_sequence_free(sequence);

  heard = (struct heard){.engine = engine};
  const headway_generate_options generate = {
      .size = sizeof generate, .sequence = &options, .max_new_tokens = 3};
  headway_generation* generation = NULL;
  headway_generated made = {.size = sizeof made};
  OK(headway_generate(engine, ids, LONG_PROMPT, &generate, &generation));
  OK(headway_generation_describe(generation, &made));
  EXPECT(made.num_ids > 0 && heard.num_works == 1 && heard.works[0].calls == calls);
  headway_generation_free(generation);

  heard = (struct heard){.engine = engine};
  OK(headway_cancel_new(&heard.stop));
  options.cancel = heard.stop;
  OK(headway_generate(engine, ids, LONG_PROMPT, &generate, &generation));
  OK(headway_generation_describe(generation, &made));
  EXPECT(made.stop_reason == HEADWAY_STOP_CANCELLED && made.num_ids == 0);
  EXPECT(heard.num_works == 1 && heard.works[0].calls == 1);
  headway_generation_free(generation);
  OK(headway_cancel_set(heard.stop, 0));

  heard = (struct heard){.engine = engine, .stop = heard.stop};
  sequence = new_sequence(engine, &options, NULL);
  FAILS(HEADWAY_CANCELLED, headway_sequence_append(sequence, ids, LONG_PROMPT));
  headway_sequence_state state = {.size = sizeof state};
  OK(headway_sequence_describe(sequence, &state));
  EXPECT(state.num_tokens == LONG_PROMPT && heard.works[0].calls == 1);
  EXPECT(state.num_pending == LONG_PROMPT - heard.works[0].done);
  OK(headway_cancel_set(heard.stop, 0));
  headway_cancel_free(heard.stop);
  headway_sequence_free(sequence);
}

void test_progress(const char* model, headway_engine* engine) {
  test_packing(model, engine);
  test_reading(engine);
}
