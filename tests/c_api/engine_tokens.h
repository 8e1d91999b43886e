#pragma once

// What the C++ API makes of a prompt, for the C test to compare with.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Writes the ids that Engine::Generate() chooses after `prompt`; returns how many, or -1.
// `json_schema`: "" for none.
int engine_tokens(const char* model, const char* head, const char* prompt, float temperature,
                  uint64_t seed, const char* json_schema, int32_t* ids, int capacity);

// What lookup by n-grams of `min_ngram` to `max_ngram` tokens gave or, with `probe`, would have given
// in Engine::Generate() of `count` tokens out of those of the prompt, always with as many drafts as
// there are.
struct engine_drafts {
  uint64_t passes, tokens, drafted, accepted;
  uint64_t drafted_by_ngram[17], accepted_by_ngram[17];  // [length of the n-gram]
};
// 0 when done.
int engine_speculation(const char* model, const char* head, const char* prompt, int probe,
                       int64_t min_ngram, int64_t max_ngram, int64_t count,
                       struct engine_drafts* out);

// Removes a directory of that name in the current one; 0 when it is not there any more.
int no_directory(const char* name);

// A copy, in the current directory, of the package that the cache has of `model`, with a bit of its
// layers changed. Writes its path; 0 when done.
int damaged_package(const char* model, char* path, size_t capacity);

#ifdef __cplusplus
}
#endif
