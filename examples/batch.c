/* Many texts at once by the C API: batch MODEL PROMPT... Each step reads the weights once for all. */

#include <headway/headway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROMPTS = 16, MAX_IDS = 512, NEW_TOKENS = 16 };

static void check(headway_status status) {
  if (status == HEADWAY_OK) return;
  fprintf(stderr, "%s: %s\n", headway_status_name(status), headway_error_text());
  exit(2);
}

int main(int argc, char** argv) {
  const size_t num_prompts = (size_t)(argc - 2);
  if (argc < 3 || num_prompts > MAX_PROMPTS) {
    fprintf(stderr, "usage: batch MODEL PROMPT...\n");
    return 2;
  }
  headway_engine* engine = NULL;
  check(headway_open(argv[1], NULL, &engine));

  headway_row rows[MAX_PROMPTS];
  size_t prompt_tokens[MAX_PROMPTS];
  for (size_t i = 0; i < num_prompts; ++i) {
    const char* prompt = argv[2 + i];
    int32_t ids[MAX_IDS];
    const headway_sampling sampling = {.size = sizeof sampling, .temperature = 0.8F, .seed = 7};
    const headway_sequence_options options = {.size = sizeof options, .sampling = &sampling};
    memset(&rows[i], 0, sizeof rows[i]);
    rows[i].size = sizeof rows[i];
    check(headway_sequence_new(engine, &options, &rows[i].sequence));
    check(headway_tokenize(engine, prompt, strlen(prompt), 0, ids, MAX_IDS, &prompt_tokens[i]));
    check(headway_sequence_append(rows[i].sequence, ids, prompt_tokens[i]));
  }
  for (int step = 0; step < NEW_TOKENS; ++step) check(headway_step(engine, rows, num_prompts));

  for (size_t i = 0; i < num_prompts; ++i) {
    int32_t ids[MAX_IDS + NEW_TOKENS];
    char text[8192];
    size_t num_ids = 0;
    size_t num_bytes = 0;
    check(headway_sequence_tokens(rows[i].sequence, ids, MAX_IDS + NEW_TOKENS, &num_ids));
    check(headway_detokenize(engine, ids + prompt_tokens[i], num_ids - prompt_tokens[i], 0, text,
                             sizeof text, &num_bytes));
    printf("%s%.*s\n", argv[2 + i], (int)num_bytes, text);
    headway_sequence_free(rows[i].sequence);
  }
  headway_close(engine);
  return 0;
}
