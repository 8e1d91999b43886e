/* The C API as a C program uses it: c_api_test MODEL. The tokens are those of the C++ API. */

#include "c_api_test.h"

#include <string.h>

#include "engine_tokens.h"

int failures = 0;

headway_engine* open_model(const char* model, const char* head) {
  headway_engine* engine = NULL;
  const headway_open_options options = {.size = sizeof options, .threads = 1, .head = head};
  OK(headway_open(model, &options, &engine));
  if (engine == NULL) exit(1);
  return engine;
}

size_t tokenize(const headway_engine* engine, const char* text, int32_t* ids) {
  size_t count = 0;
  OK(headway_tokenize(engine, text, strlen(text), 0, ids, MOST_TOKENS, &count));
  return count;
}

headway_sequence* new_sequence(headway_engine* engine, const headway_sequence_options* options,
                               const char* prompt) {
  headway_sequence* sequence = NULL;
  OK(headway_sequence_new(engine, options, &sequence));
  if (prompt != NULL) {
    int32_t ids[MOST_TOKENS];
    const size_t count = tokenize(engine, prompt, ids);
    OK(headway_sequence_append(sequence, ids, count));
  }
  return sequence;
}

int decode(headway_engine* engine, headway_sequence* sequence, int count, int32_t* ids) {
  int made = 0;
  while (made < count) {
    headway_sequence_state state = {.size = sizeof state};
    OK(headway_sequence_describe(sequence, &state));
    if (state.is_over) return made;
    headway_row row = {.size = sizeof row, .sequence = sequence};
    OK(headway_step(engine, &row, 1));
    if (row.status != HEADWAY_OK) return made;
    for (int i = 0; i < row.num_choices && made < count; ++i) {
      headway_choice choice = {.size = sizeof choice};
      int32_t is_end = 0;
      OK(headway_sequence_choice(sequence, (size_t)i, &choice));
      ids[made++] = choice.token;
      OK(headway_is_end_token(engine, choice.token, &is_end));
      if (is_end) return made;
    }
  }
  return made;
}

static void test_identity(headway_engine* engine) {
  EXPECT(headway_abi() == HEADWAY_ABI);
  EXPECT(strchr(headway_version(), '.') != NULL);
  EXPECT(strcmp(headway_status_name(HEADWAY_CANCELLED), "cancelled") == 0);
  headway_summary summary = {.size = sizeof summary};
  OK(headway_describe(engine, &summary));
  EXPECT(summary.vocab_size > 1000 && summary.hidden_size > 0 && summary.max_rows >= 8);
  EXPECT(strcmp(summary.architecture, "llama") == 0 || summary.architecture[0] != '\0');
  EXPECT(summary.has_logits == 1);
}

static void test_text(headway_engine* engine) {
  int32_t ids[MOST_TOKENS];
  char text[256];
  size_t count = 0;
  size_t num_bytes = 0;
  OK(headway_tokenize(engine, STORY, strlen(STORY), 0, NULL, 0, &count));
  EXPECT(count == tokenize(engine, STORY, ids) && count > 1);
  FAILS(HEADWAY_TOO_SMALL, headway_tokenize(engine, STORY, strlen(STORY), 0, ids, 1, &num_bytes));
  EXPECT(num_bytes == count);
  OK(headway_detokenize(engine, ids, count, 0, text, sizeof text, &num_bytes));
  EXPECT(num_bytes == strlen(STORY) && memcmp(text, STORY, num_bytes) == 0);

  OK(headway_tokenize_chat(engine, "[{\"role\": \"user\", \"content\": \"Hi\"}]", NULL, ids,
                           MOST_TOKENS, &count));
  EXPECT(count > 1);
  FAILS(HEADWAY_INVALID_INPUT, headway_tokenize_chat(engine, "[{", NULL, ids, MOST_TOKENS, &count));

  headway_stream* stream = NULL;
  OK(headway_stream_new(engine, 1, NULL, 0, &stream));
  char streamed[256] = "";
  count = tokenize(engine, STORY " \xC3\xA9", ids);
  for (size_t i = 0; i < count; ++i) {
    const char* piece = NULL;
    OK(headway_stream_push(stream, ids[i], &piece, &num_bytes));
    strncat(streamed, piece, num_bytes);
  }
  const char* rest = NULL;
  OK(headway_stream_finish(stream, &rest, &num_bytes));
  EXPECT(strcmp(streamed, STORY " \xC3\xA9") == 0 && num_bytes == 0);
  headway_stream_free(stream);

  const char* const stops[] = {"on a t", "nowhere"};
  int32_t stopped = 0;
  OK(headway_stream_new(engine, 1, stops, 2, &stream));
  streamed[0] = '\0';
  for (size_t i = 0; i < count; ++i) {
    const char* piece = NULL;
    OK(headway_stream_push(stream, ids[i], &piece, &num_bytes));
    strncat(streamed, piece, num_bytes);
  }
  OK(headway_stream_stopped(stream, &stopped));
  EXPECT(stopped == 1 && strcmp(streamed, "Once up") == 0);
  headway_stream_free(stream);
}

/* One byte of the weights is another: nothing may be computed with it. */
static void test_damaged(const char* model) {
  char damaged[4096];
  headway_engine* engine = NULL;
  headway_sequence* sequence = NULL;
  const int made = damaged_package(model, damaged, sizeof damaged);
  EXPECT(made == 0);
  if (made != 0) return;
  const headway_open_options options = {.size = sizeof options, .threads = 1};
  OK(headway_open(damaged, &options, &engine));
  FAILS(HEADWAY_CORRUPT, headway_sequence_new(engine, NULL, &sequence));
  headway_perplexity_result result = {.size = sizeof result};
  FAILS(HEADWAY_CORRUPT, headway_perplexity(engine, STORY, strlen(STORY), NULL, &result));
  headway_close(engine);
}

static void test_perplexity(headway_engine* engine) {
  char text[2048] = "";
  for (int i = 0; i < 12; ++i) strcat(text, "Once upon a time there was a little fox. ");
  headway_perplexity_result result = {.size = sizeof result};
  const headway_perplexity_options options = {.size = sizeof options, .window_tokens = 64};
  OK(headway_perplexity(engine, text, strlen(text), &options, &result));
  EXPECT(result.perplexity > 1.0 && result.windows >= 1 && result.scored_tokens > 30);
  FAILS(HEADWAY_INVALID_INPUT, headway_perplexity(engine, "Hi", 2, &options, &result));
}

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "usage: c_api_test MODEL\n"), 2;
  headway_engine* engine = open_model(argv[1], "full:2");
  test_identity(engine);
  test_text(engine);
  test_decoding(argv[1], engine);
  test_perplexity(engine);
  test_bad_arguments(engine);
  test_sizes(engine);
  test_server_needs(engine);
  test_engine_needs(argv[1], engine);
  test_progress(argv[1], engine);
  headway_close(engine);
  test_certified(argv[1]);
  test_damaged(argv[1]);
  if (failures > 0) fprintf(stderr, "%d expectations failed\n", failures);
  return failures == 0 ? 0 : 1;
}
