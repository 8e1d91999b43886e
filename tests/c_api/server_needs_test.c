/* What a server asks for besides tokens: logits and states of rows of a batch, how far a grammar's
 * text is, conversations as text, memory given back. */

#include <string.h>

#include "c_api_test.h"

#define ASK "[{\"role\": \"user\", \"content\": \"Hi\"}]"
enum { MOST_TEXT = 4096 };

static int32_t argmax(const float* logits, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; ++i)
    if (logits[i] > logits[best]) best = i;
  return (int32_t)best;
}

static uint64_t tokens_read(headway_sequence* sequence) {
  headway_counters counters = {.size = sizeof counters};
  OK(headway_sequence_counters(sequence, &counters));
  return counters.prefill_tokens + counters.step_tokens;
}

/* The logits of each row's choice after a step of two, without another reading of the layers. */
static void test_last_logits(headway_engine* engine) {
  const float* logits = NULL;
  size_t count = 0;
  headway_row rows[2];
  memset(rows, 0, sizeof rows);
  for (int i = 0; i < 2; ++i) {
    rows[i].size = sizeof rows[i];
    rows[i].sequence = new_sequence(engine, NULL, NULL);
  }
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_last_logits(rows[0].sequence, &logits, &count));
  for (int i = 0; i < 2; ++i) {
    int32_t ids[MOST_TOKENS];
    const size_t num_ids = tokenize(engine, i == 0 ? STORY : "The fox", ids);
    OK(headway_sequence_append(rows[i].sequence, ids, num_ids));
  }
  for (int round = 0; round < 3; ++round) {
    OK(headway_step(engine, rows, 2));
    for (int i = 0; i < 2; ++i) {
      headway_choice choice = {.size = sizeof choice};
      headway_sequence_state state = {.size = sizeof state};
      OK(headway_sequence_choice(rows[i].sequence, 0, &choice));
      const uint64_t before = tokens_read(rows[i].sequence);
      OK(headway_sequence_last_logits(rows[i].sequence, &logits, &count));
      EXPECT(argmax(logits, count) == choice.token && logits[choice.token] == choice.logit);
      OK(headway_sequence_describe(rows[i].sequence, &state));
      EXPECT(state.num_pending == 1 && tokens_read(rows[i].sequence) == before);
    }
  }
  headway_sequence_free(rows[0].sequence);
  headway_sequence_free(rows[1].sequence);
}

struct states {
  headway_engine* engine;
  float data[MOST_TOKENS * 1024];
  int64_t next;  /* position */
  size_t pieces; /* how many times it was told */
  headway_status nested;
};

static void keep_states(void* user, int64_t first, const float* states, size_t num_positions,
                        size_t hidden_size) {
  struct states* kept = user;
  headway_sequence* none = NULL;
  EXPECT(first == kept->next && num_positions > 0 && hidden_size <= 1024);
  memcpy(kept->data + (size_t)first * hidden_size, states,
         num_positions * hidden_size * sizeof(float));
  kept->next += (int64_t)num_positions;
  ++kept->pieces;
  kept->nested = headway_sequence_new(kept->engine, NULL, &none);
}

/* The states of a prompt that is read in pieces beside a conversation: those that it has alone. */
static void test_states_in_a_batch(headway_engine* engine) {
  static struct states alone, together;
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, "In the morning the postman met a little bear", ids);
  headway_summary summary = {.size = sizeof summary};
  OK(headway_describe(engine, &summary));
  alone.engine = together.engine = engine;
  headway_sink sink = {.size = sizeof sink, .user = &alone, .hidden = keep_states};
  headway_sequence* sequence = new_sequence(engine, NULL, NULL);
  OK(headway_sequence_append_with(sequence, ids, count, &sink));
  headway_sequence_free(sequence);

  sink.user = &together;
  headway_row rows[2];
  memset(rows, 0, sizeof rows);
  rows[0].size = rows[1].size = sizeof rows[0];
  rows[0].sequence = new_sequence(engine, NULL, STORY);
  rows[1].sequence = new_sequence(engine, NULL, NULL);
  OK(headway_sequence_append_unread(rows[1].sequence, ids, count));
  rows[1].read_tokens = 3;
  rows[1].sink = &sink;
  while (together.next < (int64_t)count && together.pieces < count)
    OK(headway_step(engine, rows, 2));
  EXPECT(together.next == (int64_t)count && together.pieces == (count + 2) / 3);
  EXPECT(together.nested == HEADWAY_INVALID_INPUT); /* no call from inside */
  EXPECT(memcmp(alone.data, together.data, count * (size_t)summary.hidden_size * sizeof(float)) ==
         0);
  rows[1].read_tokens = 0; /* nothing is told where a token is chosen */
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 2));
  rows[1].read_tokens = 1;
  sink.hidden = NULL;
  FAILS(HEADWAY_INVALID_INPUT, headway_step(engine, rows, 2));
  headway_sequence_free(rows[0].sequence);
  headway_sequence_free(rows[1].sequence);
}

/* A reading row's flag stops it, and the others go on. */
static void test_cancelled_reader(headway_engine* engine) {
  headway_cancel* flag = NULL;
  OK(headway_cancel_new(&flag));
  OK(headway_cancel_set(flag, 1));
  const headway_sequence_options options = {.size = sizeof options, .cancel = flag};
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, STORY, ids);
  headway_row rows[2];
  memset(rows, 0, sizeof rows);
  rows[0].size = rows[1].size = sizeof rows[0];
  rows[0].sequence = new_sequence(engine, &options, NULL);
  OK(headway_sequence_append_unread(rows[0].sequence, ids, count));
  rows[0].read_tokens = 8;
  rows[1].sequence = new_sequence(engine, NULL, STORY);
  FAILS(HEADWAY_CANCELLED, headway_step(engine, rows, 2));
  EXPECT(rows[0].status == HEADWAY_CANCELLED && rows[1].status == HEADWAY_OK);
  EXPECT(rows[1].num_choices == 1);
  FAILS(HEADWAY_CANCELLED, headway_step(engine, rows, 1));
  OK(headway_cancel_set(flag, 0));
  headway_cancel_free(flag);
  OK(headway_step(engine, rows, 2));
  headway_sequence_free(rows[0].sequence);
  headway_sequence_free(rows[1].sequence);
}

/* A grammar that is compiled once, for several sequences, and how far their texts are. */
static void test_grammars(headway_engine* engine) {
  headway_grammar* grammar = NULL;
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new(NULL, NULL, &grammar));
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new("root ::= \"a\"", "{}", &grammar));
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new("root ::= (", NULL, &grammar));
  FAILS(HEADWAY_INVALID_INPUT, headway_grammar_new("root ::= \"a\"", NULL, NULL));
  EXPECT(grammar == NULL);
  OK(headway_grammar_new("root ::= \" fox\" \" fox\"*", NULL, &grammar));
  headway_sequence_options options = {.size = sizeof options, .compiled = grammar};
  headway_sequence* first = new_sequence(engine, &options, STORY);
  headway_sequence* second = new_sequence(engine, &options, STORY);
  options.grammar = "root ::= \"a\"";
  headway_sequence* none = NULL;
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_new(engine, &options, &none));
  options.grammar = NULL;
  const headway_generate_options generate = {.size = sizeof generate, .sequence = &options};
  headway_generation* generation = NULL;
  int32_t ids[MOST_TOKENS];
  const size_t count = tokenize(engine, STORY, ids);
  FAILS(HEADWAY_INVALID_INPUT, headway_generate(engine, ids, count, &generate, &generation));
  headway_grammar_free(grammar); /* the sequences keep what they need of it */
  headway_sequence_state state = {.size = sizeof state};
  OK(headway_sequence_describe(first, &state));
  EXPECT(state.is_complete == 0 && state.is_final == 0);
  int32_t one[1], other[1];
  EXPECT(decode(engine, first, 1, one) == 1 && decode(engine, second, 1, other) == 1);
  EXPECT(one[0] == other[0]);
  char text[64];
  size_t num_bytes = 0;
  OK(headway_detokenize(engine, one, 1, 0, text, sizeof text, &num_bytes));
  OK(headway_sequence_describe(first, &state));
  EXPECT(state.is_complete == (num_bytes == 4) && state.is_final == 0);
  headway_sequence_free(first);
  headway_sequence_free(second);

  options = (headway_sequence_options){.size = sizeof options, .grammar = "root ::= \" fox\""};
  first = new_sequence(engine, &options, STORY);
  do {
    OK(headway_sequence_describe(first, &state));
  } while (!state.is_final && decode(engine, first, 1, one) == 1);
  EXPECT(state.is_final == 1 && state.is_complete == 1);
  headway_sequence_free(first);
  first = new_sequence(engine, NULL, STORY);
  OK(headway_sequence_describe(first, &state));
  EXPECT(state.is_complete == 1 && state.is_final == 0); /* without a grammar */
  headway_sequence_free(first);
}

/* Memory given back: the tokens stay, and what follows them. */
static void test_forgetting(headway_engine* engine) {
  int32_t kept[6], again[6];
  headway_sequence* plain = new_sequence(engine, NULL, STORY);
  headway_sequence* forgetful = new_sequence(engine, NULL, STORY);
  headway_sequence_state state = {.size = sizeof state};
  EXPECT(decode(engine, plain, 6, kept) == 6 && decode(engine, forgetful, 3, again) == 3);
  OK(headway_sequence_describe(forgetful, &state));
  const int64_t length = state.num_tokens;
  OK(headway_sequence_forget(forgetful));
  OK(headway_sequence_describe(forgetful, &state));
  EXPECT(state.num_tokens == length && state.num_pending == length);
  EXPECT(decode(engine, forgetful, 3, again + 3) == 3);
  EXPECT(memcmp(kept, again, sizeof kept) == 0);
  FAILS(HEADWAY_INVALID_INPUT, headway_sequence_forget(NULL));
  headway_sequence_free(plain);
  headway_sequence_free(forgetful);
}

static size_t render(headway_engine* engine, const headway_chat_options* options, char* text) {
  size_t count = 0;
  OK(headway_render_chat(engine, ASK, options, text, MOST_TEXT - 1, &count));
  text[count] = '\0';
  return count;
}

static void test_chat(headway_engine* engine) {
  char text[MOST_TEXT], begun[MOST_TEXT];
  int32_t ids[MOST_TOKENS], parsed[MOST_TOKENS];
  size_t count = 0, num_parsed = 0;
  headway_chat_options options = {.size = sizeof options};
  const size_t length = render(engine, &options, text);
  EXPECT(strstr(text, "Hi") != NULL);
  FAILS(HEADWAY_TOO_SMALL, headway_render_chat(engine, ASK, NULL, begun, 1, &count));
  EXPECT(count == length);
  /* Its ids are those of the conversation, as no message spells a control token. */
  OK(headway_tokenize_chat(engine, ASK, NULL, ids, MOST_TOKENS, &count));
  OK(headway_tokenize(engine, text, length, HEADWAY_PARSE_SPECIAL | HEADWAY_NO_MARKS, parsed,
                      MOST_TOKENS, &num_parsed));
  EXPECT(num_parsed <= count && num_parsed + 1 >= count);
  EXPECT(memcmp(ids + (count - num_parsed), parsed, num_parsed * sizeof *ids) == 0);

  options.answer_begins = "Well, <|im_end|>";
  const size_t longer = render(engine, &options, begun);
  EXPECT(longer == length + strlen(options.answer_begins) && memcmp(text, begun, length) == 0);
  EXPECT(strcmp(begun + length, options.answer_begins) == 0);
  size_t with_answer = 0;
  OK(headway_tokenize_chat(engine, ASK, &options, parsed, MOST_TOKENS, &with_answer));
  EXPECT(with_answer > count + 1);

  options = (headway_chat_options){.size = sizeof options, .chat_format = "chatml"};
  render(engine, &options, text);
  EXPECT(strstr(text, "<|im_start|>user\nHi") != NULL);
  options.chat_format = "vicuna";
  FAILS(HEADWAY_INVALID_INPUT, headway_render_chat(engine, ASK, &options, NULL, 0, &count));
  options.chat_format = "chatml";
  options.chat_template = "{{ messages[0].content }}";
  FAILS(HEADWAY_INVALID_INPUT, headway_render_chat(engine, ASK, &options, NULL, 0, &count));
  options.chat_format = NULL;
  render(engine, &options, text);
  EXPECT(strcmp(text, "Hi") == 0);
  options.chat_template = "<|nobody|>{{ messages[0].content }}";
  FAILS(HEADWAY_UNSUPPORTED, headway_tokenize_chat(engine, ASK, &options, NULL, 0, &count));
  options.allow_plain_markers = 1;
  OK(headway_tokenize_chat(engine, ASK, &options, NULL, 0, &count));
  options.reserved_too = 1;
  FAILS(HEADWAY_INVALID_INPUT, headway_tokenize_chat(engine, ASK, &options, NULL, 0, &count));
}

static void test_summary(headway_engine* engine) {
  headway_summary summary = {.size = sizeof summary};
  OK(headway_describe(engine, &summary));
  EXPECT(summary.max_position_embeddings >= summary.context_tokens);
  EXPECT(summary.is_interpreted == 0 && summary.reserved == 0 && summary.chat_template != NULL);
  int32_t id = 0;
  OK(headway_find_special(engine, STORY, strlen(STORY), &id));
  EXPECT(id == -1);
  char name[64];
  size_t num_bytes = 0;
  OK(headway_detokenize(engine, &summary.eos_token, 1, HEADWAY_KEEP_SPECIAL, name, sizeof name,
                        &num_bytes));
  OK(headway_find_special(engine, name, num_bytes, &id));
  EXPECT(id == summary.eos_token);
  FAILS(HEADWAY_INVALID_INPUT, headway_find_special(engine, name, num_bytes, NULL));
  headway_engine* other = NULL;
  const headway_open_options open = {.size = sizeof open, .compute_units = "gpu"};
  FAILS(HEADWAY_INVALID_INPUT, headway_open(summary.package_directory, &open, &other));
}

void test_server_needs(headway_engine* engine) {
  test_last_logits(engine);
  test_states_in_a_batch(engine);
  test_cancelled_reader(engine);
  test_grammars(engine);
  test_forgetting(engine);
  test_chat(engine);
  test_summary(engine);
}
