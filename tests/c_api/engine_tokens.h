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

// A copy, in the current directory, of the package that the cache has of `model`, with a bit of its
// layers changed. Writes its path; 0 when done.
int damaged_package(const char* model, char* path, size_t capacity);

#ifdef __cplusplus
}
#endif
