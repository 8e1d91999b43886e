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

#ifdef __cplusplus
}
#endif
