// headway run: text from a model.

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/file_writer.h"
#include "base/progress.h"
#include "commands.h"
#include "headway/engine.h"
#include "json_report.h"
#include "numbers.h"
#include "profile_table.h"

namespace headway::cli {
namespace {

constexpr uint64_t kMaxPromptBytes = uint64_t{64} << 20;

std::atomic<bool> cancelled{false};

// The first Ctrl-C stops cleanly after the current step; the second ends the process the usual way.
void OnInterrupt(int) {
  cancelled.store(true, std::memory_order_relaxed);
  std::signal(SIGINT, SIG_DFL);
}

Result<std::string> PromptText(const RunArguments& arguments) {
  const int given =
      (arguments.prompt ? 1 : 0) + (arguments.prompt_file ? 1 : 0) + (arguments.ids ? 1 : 0);
  if (given != 1) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("prompt: expected exactly one of -p, --prompt-file and --ids, found {}",
                            given));
  }
  if (arguments.prompt) return *arguments.prompt;
  if (arguments.prompt_file) return ReadTextFile(*arguments.prompt_file, kMaxPromptBytes);
  return std::string();
}

Result<std::vector<int32_t>> PromptIds(const RunArguments& arguments, const Engine& engine) {
  HW_TRY(const std::string text, PromptText(arguments));
  if (arguments.ids) {
    if (arguments.chat)
      return Fail(ErrorCode::kInvalidInput, "--chat: expected a text prompt, found --ids");
    return ParseIds(*arguments.ids, "--ids");
  }
  if (!arguments.chat) return engine.Encode(text);
  std::vector<ChatMessage> messages;
  if (!arguments.system.empty())
    messages.push_back({.role = "system", .content = arguments.system});
  messages.push_back({.role = "user", .content = text});
  return engine.EncodeChat(messages);
}

Result<SamplingParams> Sampling(const RunArguments& arguments) {
  SamplingParams sampling = arguments.sampling;
  HW_TRY(sampling.logit_bias, ParseLogitBias(arguments.logit_bias));
  if (!arguments.allow_ids_file.empty()) {
    HW_TRY(const std::string text, ReadTextFile(arguments.allow_ids_file, kMaxPromptBytes));
    HW_TRY(sampling.allow_ids, ParseIds(text, arguments.allow_ids_file));
  }
  return sampling;
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Result<void> Run(const RunArguments& arguments) {
  if (arguments.max_new_tokens < 1) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("-n: expected 1 or more tokens, found {}", arguments.max_new_tokens));
  }
  HW_TRY(SamplingParams sampling, Sampling(arguments));
  const EngineOptions engine_options{.threads = arguments.threads,
                                     .instruction_set = Environment("HEADWAY_CPU"),
                                     .topology = arguments.topology,
                                     .head = arguments.head,
                                     .cache_directory = "",
                                     .load = ParseLoad(arguments.load),
                                     .verify_contents = arguments.verify,
                                     .show_progress = true};
  HW_TRY(const Engine engine, Engine::Open(arguments.model, engine_options));
  HW_TRY(const std::vector<int32_t> prompt, PromptIds(arguments, engine));
  std::signal(SIGINT, OnInterrupt);

  std::unique_ptr<Progress> progress;
  const char* current_work = nullptr;
  GenerateOptions options{.max_new_tokens = arguments.max_new_tokens,
                          .sampling = std::move(sampling),
                          .want_logprobs = arguments.logprobs,
                          .stop_at_end = !arguments.ignore_end,
                          .cancelled_or_null = &cancelled};
  options.progress = [&](const char* work, int64_t done, int64_t total) {
    if (work != current_work || progress == nullptr) {
      progress = std::make_unique<Progress>(work, static_cast<uint64_t>(total), true);
      current_work = work;
    }
    progress->Update(static_cast<uint64_t>(done));
    if (done == total) progress.reset();
  };
  const auto print = [&](const GeneratedToken& token) {
    if (arguments.json) return;
    std::fwrite(token.text.data(), 1, token.text.size(), stdout);
    std::fflush(stdout);
  };
  if (!arguments.json && !arguments.chat && arguments.prompt) {
    std::fwrite(arguments.prompt->data(), 1, arguments.prompt->size(), stdout);
    std::fflush(stdout);
  }
  HW_TRY(const Generation generation, engine.Generate(prompt, options, print));
  if (arguments.json) {
    std::fputs(RunReport(engine.Summary(), prompt, generation).c_str(), stdout);
  } else {
    std::fputc('\n', stdout);
  }
  std::fflush(stdout);
  if (arguments.profile) {
    std::fprintf(stderr, "\n%s", ProfileTable(engine.Summary(), generation.counters).c_str());
  }
  if (generation.stop_reason == StopReason::kCancelled)
    return Fail(ErrorCode::kCancelled, "interrupted; what was generated is above");
  if (generation.stop_reason == StopReason::kContextFull && !arguments.json) {
    std::fprintf(stderr, "headway: stopped at the model's context of %lld tokens\n",
                 static_cast<long long>(engine.Summary().context_tokens));
  }
  return {};
}

}  // namespace headway::cli
