#include "engine_tokens.h"

#include <algorithm>
#include <cstdio>

#include "headway/engine.h"

namespace {

headway::Result<headway::Generation> Generate(const char* model, const char* head,
                                              const char* prompt,
                                              const headway::GenerateOptions& options) {
  HW_TRY(const headway::Engine engine, headway::Engine::Open(model, {.threads = 1, .head = head}));
  HW_TRY(const auto ids, engine.Encode(prompt));
  return engine.Generate(ids, options, nullptr);
}

}  // namespace

int engine_tokens(const char* model, const char* head, const char* prompt, float temperature,
                  uint64_t seed, const char* json_schema, int32_t* ids, int capacity) {
  headway::GenerateOptions options;
  options.max_new_tokens = capacity;
  options.stop_at_end = true;
  options.sampling.temperature = temperature;
  options.sampling.seed = seed;
  options.json_schema = json_schema;
  const auto made = Generate(model, head, prompt, options);
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().message.c_str());
    return -1;
  }
  std::copy(made->ids.begin(), made->ids.end(), ids);
  return static_cast<int>(made->ids.size());
}
