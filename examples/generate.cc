// Text from a model in twenty lines: generate MODEL PROMPT.

#include <headway/engine.h>

#include <cstdio>

headway::Result<void> Generate(const char* model, const char* prompt) {
  HW_TRY(const headway::Engine engine, headway::Engine::Open(model, {}));
  HW_TRY(const auto ids, engine.Encode(prompt));
  headway::GenerateOptions options;
  options.max_new_tokens = 32;
  options.sampling.temperature = 0.8F;
  options.sampling.seed = 7;
  HW_TRY(const headway::Generation result, engine.Generate(ids, options, nullptr));
  std::printf("%s%s\n", prompt, result.text.c_str());
  return {};
}

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: generate MODEL PROMPT\n"), 2;
  const headway::Result<void> done = Generate(argv[1], argv[2]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 2;
}
