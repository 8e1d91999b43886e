#pragma once

/* What the files of the C test share. */

#include <headway/headway.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_TOKENS = 64 };
#define STORY "Once upon a time"

extern int failures;

#define EXPECT(condition)                                                                      \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      ++failures;                                                                              \
      fprintf(stderr, "%s:%d: expected %s (last error: %s)\n", __FILE__, __LINE__, #condition, \
              headway_error_text());                                                           \
    }                                                                                          \
  } while (0)
#define OK(call) EXPECT((call) == HEADWAY_OK)
/* Fails with that status, and says why. */
#define FAILS(status, call) EXPECT((call) == (status) && headway_error_text()[0] != '\0')

headway_engine* open_model(const char* model, const char* head);
size_t tokenize(const headway_engine* engine, const char* text, int32_t* ids);
headway_sequence* new_sequence(headway_engine* engine, const headway_sequence_options* options,
                               const char* prompt);
/* Steps one sequence until it has `count` tokens more, or its text ends. */
int decode(headway_engine* engine, headway_sequence* sequence, int count, int32_t* ids);

void test_decoding(const char* model, headway_engine* engine);
void test_certified(const char* model);
void test_bad_arguments(headway_engine* engine);
void test_sizes(headway_engine* engine);
void test_server_needs(headway_engine* engine);
void test_progress(const char* model, headway_engine* engine);
void test_engine_needs(const char* model, headway_engine* engine);
