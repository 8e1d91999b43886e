#include "engine_tokens.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "headway/engine.h"

namespace {

headway::Result<headway::Generation> Generate(const char* model, const char* head,
                                              const char* prompt,
                                              const headway::GenerateOptions& options,
                                              bool of_prompt = false) {
  HW_TRY(const headway::Engine engine, headway::Engine::Open(model, {.threads = 1, .head = head}));
  HW_TRY(const auto ids, engine.Encode(prompt));
  headway::GenerateOptions asked = options;
  if (of_prompt) asked.sampling.allow_ids = ids;
  return engine.Generate(ids, asked, nullptr);
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

int engine_speculation(const char* model, const char* head, const char* prompt, int probe,
                       int64_t min_ngram, int64_t max_ngram, int64_t count, engine_drafts* out) {
  headway::GenerateOptions options;
  options.max_new_tokens = count;
  options.stop_at_end = false;
  options.speculation = {
      .kind = probe != 0 ? headway::Speculate::kOff : headway::Speculate::kLookup,
      .probe_lookup = probe != 0,
      .min_ngram = min_ngram,
      .max_ngram = max_ngram,
      .adapt = false};
  const auto made = Generate(model, head, prompt, options, true);
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().message.c_str());
    return 1;
  }
  const headway::SpeculationCounters& found =
      probe != 0 ? made->counters.probe : made->counters.speculation;
  *out = {.passes = found.passes,
          .tokens = found.tokens,
          .drafted = found.drafted,
          .accepted = found.accepted,
          .drafted_by_ngram = {},
          .accepted_by_ngram = {}};
  if (found.drafted_by_ngram.size() > 17 || found.accepted_by_ngram.size() > 17) return 1;
  std::copy(found.drafted_by_ngram.begin(), found.drafted_by_ngram.end(), out->drafted_by_ngram);
  std::copy(found.accepted_by_ngram.begin(), found.accepted_by_ngram.end(), out->accepted_by_ngram);
  return 0;
}

int no_directory(const char* name) {
  std::error_code error;
  std::filesystem::remove_all(name, error);
  return error ? 1 : 0;
}

int damaged_package(const char* model, char* path, size_t capacity) {
  namespace fs = std::filesystem;
  const auto engine = headway::Engine::Open(model, {.threads = 1, .head = "full:2"});
  if (!engine) return 1;
  const fs::path copy = fs::absolute("damaged_package");
  std::error_code error;
  fs::remove_all(copy, error);
  fs::copy(engine->Summary().package_directory, copy, fs::copy_options::recursive, error);
  if (error || copy.string().size() >= capacity) return 1;
  for (const fs::directory_entry& entry : fs::directory_iterator(copy)) {
    if (!entry.path().filename().string().starts_with("layers_")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
    const int byte = file.seekg(middle).get();
    file.seekp(middle).put(static_cast<char>(byte ^ 1));
    if (!file) return 1;
    copy.string().copy(path, capacity);
    path[copy.string().size()] = '\0';
    return 0;
  }
  return 1;
}
