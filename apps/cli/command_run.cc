// headway run: text from a model.

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>

#include "base/notice.h"
#include "base/platform.h"
#include "base/progress.h"
#include "check_gates.h"
#include "commands.h"
#include "grammar/compile.h"
#include "headway/engine.h"
#include "hosts.h"
#include "input.h"
#include "interrupt.h"
#include "json_report.h"
#include "lmhead/certificate.h"
#include "manifest/head_kind.h"
#include "numbers.h"
#include "output.h"
#include "profile_table.h"
#include "prompt.h"
#include "sampling/sampling_params.h"
#include "speculation_arguments.h"

namespace headway::cli {
namespace {

// Drawn numbers have 53 bits, which every reader of JSON keeps.
uint64_t SeedOf(const std::string& text) {
  uint64_t seed = 0;
  if (text != "-1") {
    std::from_chars(text.data(), text.data() + text.size(), seed);
    return seed;
  }
  static_cast<void>(platform::FillRandom(std::as_writable_bytes(std::span(&seed, 1))));
  return seed >> 11U;
}

// What can be checked without a model is checked before one is opened, which may mean packing
// gigabytes first.
Result<SamplingParams> ReadSampling(const RunArguments& arguments) {
  SamplingParams sampling = arguments.sampling;
  sampling.seed = SeedOf(arguments.seed);
  HW_TRY_VOID(sampling::ValidateNumbers(sampling));
  HW_TRY(sampling.logit_bias, ParseLogitBias(arguments.logit_bias));
  if (!arguments.allow_ids_file.empty()) {
    HW_TRY(const std::string text, ReadInput(arguments.allow_ids_file, kMaxPromptBytes));
    HW_TRY(sampling.allow_ids, ParseIds(text, arguments.allow_ids_file));
  }
  return sampling;
}

struct GrammarTexts {
  std::string gbnf;
  std::string json_schema;
};

// Compiled here only to find mistakes before a model is opened.
Result<GrammarTexts> ReadGrammar(const RunArguments& arguments) {
  constexpr uint64_t kMostBytes = uint64_t{16} << 20;
  GrammarTexts texts;
  const std::string& gbnf_file = arguments.grammar_file;
  const std::string& schema_file = arguments.json_schema_file;
  if (gbnf_file.empty() && schema_file.empty()) return texts;
  if (!gbnf_file.empty() && !schema_file.empty())
    return Fail(ErrorCode::kInvalidInput, "expected --grammar or --json-schema, found both");
  const char* flag = gbnf_file.empty() ? "--json-schema" : "--grammar";
  if (arguments.ignore_end) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected no --ignore-end beside it, found one", flag));
  }
  const std::string& file = gbnf_file.empty() ? schema_file : gbnf_file;
  HW_TRY(std::string text, ReadInput(file, kMostBytes));
  const auto automaton =
      gbnf_file.empty() ? grammar::CompileJsonSchema(text) : grammar::CompileGbnf(text);
  if (!automaton) return Prefixed(automaton.error(), InputName(file));
  (gbnf_file.empty() ? texts.json_schema : texts.gbnf) = std::move(text);
  return texts;
}

Result<void> CheckCounts(const RunArguments& arguments) {
  if (arguments.max_new_tokens < 1) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("-n: expected 1 or more tokens, found {}", arguments.max_new_tokens));
  }
  for (const std::string& stop : arguments.stop) {
    if (stop.empty()) return Fail(ErrorCode::kInvalidInput, "--stop: expected text, found none");
  }
  if (arguments.finish_within_budget.value_or(false) && arguments.grammar_file.empty() &&
      arguments.json_schema_file.empty()) {
    return Fail(
        ErrorCode::kInvalidInput,
        "--finish-within-budget: expected --grammar or --json-schema beside it, found none");
  }
  if (!arguments.json_whitespace.empty() && arguments.json_schema_file.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "--json-whitespace: expected --json-schema beside it, found none");
  }
  if (arguments.audit_every < 0) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("--audit: expected 0 (never) or a count, found {}", arguments.audit_every));
  }
  if (!arguments.certificate.empty()) {
    HW_TRY(const auto mode, lmhead::ParseCertificateMode(arguments.certificate));
    static_cast<void>(mode);
  }
  if (arguments.logprobs && !arguments.json) {
    return Fail(ErrorCode::kInvalidInput, "--logprobs: expected --json beside it, found none");
  }
  return {};
}

// Streams text to stdout: the prompt, then each token. Writes nothing before the first token, so
// that a request that turns out to be wrong prints its error only. After a failed write it stops
// the generation.
class TextStream {
 public:
  TextStream(std::string prompt, std::atomic<bool>* stop)
      : pending_(std::move(prompt)), stop_(stop) {}

  void Write(std::string_view text) {
    if (!outcome_) return;
    pending_ += text;
    outcome_ = WriteModelText(pending_);
    line_is_open_ = !pending_.empty() || line_is_open_;
    pending_.clear();
    if (!outcome_) stop_->store(true, std::memory_order_relaxed);
  }
  Result<void> Finish() {
    Write("\n");
    return outcome_;
  }
  // Whether a progress line would be drawn into the text.
  bool LineIsOpen() const { return line_is_open_ && ::isatty(1) != 0; }

 private:
  std::string pending_;
  std::atomic<bool>* const stop_;
  bool line_is_open_ = false;
  Result<void> outcome_;
};

// What would have completed the text, where that is known.
std::string HowToComplete(const RunArguments& arguments, const Generation& generation) {
  if (!generation.tokens_to_complete) return "";
  const int64_t tokens = *generation.tokens_to_complete;
  if (generation.stop_reason == StopReason::kContextFull)
    return fmt::format(", at the end of the context; {} complete it", tokens);
  const bool finishes =
      arguments.finish_within_budget.value_or(!arguments.json_schema_file.empty());
  return fmt::format("; -n {} or more completes it{}", tokens,
                     finishes ? "" : " with --finish-within-budget");
}

Result<void> Report(const RunArguments& arguments, const ModelSummary& model, uint64_t seed,
                    const Generation& generation, const HostsReport& traffic) {
  if (model.is_interpreted) {
    Notice(fmt::format(
        "headway: interpreted on the CPU: what the {} package computes, but no measure of the "
        "device's speed\n",
        model.device));
  }
  if (arguments.profile) {
    Notice(fmt::format("\n{}{}seed {}\n", ProfileTable(model, generation.counters),
                       HostsLine(traffic), seed));
  }
  if (generation.stop_reason == StopReason::kCancelled) {
    return Fail(ErrorCode::kCancelled,
                fmt::format("interrupted after {} new tokens", generation.ids.size()));
  }
  if (generation.stop_reason == StopReason::kContextFull && !arguments.json) {
    Notice(fmt::format("headway: stopped at the model's context of {} tokens\n",
                       model.context_tokens));
  }
  if (!generation.is_cut) return {};
  return Fail(ErrorCode::kIncomplete,
              fmt::format("{}: the text is cut: its {} new tokens ended before it did{}",
                          arguments.json_schema_file.empty() ? "--grammar" : "--json-schema",
                          generation.ids.size(), HowToComplete(arguments, generation)));
}

// --usage decides about what is packed: a package has been.
Result<std::string> ReadUsageFor(const RunArguments& arguments) {
  std::error_code error;
  const bool packed = std::filesystem::is_directory(arguments.model, error);
  const auto kind = ParseHeadKind(arguments.head);
  const bool learns =
      arguments.head.empty() || arguments.head == kAutoHead || (kind && kind->HasPlanes());
  if (!arguments.usage_file.empty() && (packed || !learns)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--usage: expected a GGUF and --head auto, certified or reduced:K, "
                            "found {}",
                            packed ? "a package" : "another head"));
  }
  return ReadUsage(arguments.usage_file);
}

EngineOptions EngineOptionsOf(const RunArguments& arguments, const std::atomic<bool>* stop) {
  return {.threads = arguments.threads,
          .instruction_set = ForcedInstructionSet(),
          .topology = arguments.topology,
          .head = arguments.head,
          .usage_text = "",
          .draft_model = "",
          .load = ParseLoad(arguments.load),
          .compute_units = arguments.compute_units,
          .verify_contents = arguments.verify,
          .show_progress = true,
          .cancelled_or_null = stop};
}

}  // namespace

Result<void> Run(const RunArguments& arguments) {
  std::atomic<bool>* const stop = CatchInterrupts();
  EngineOptions engine_options = EngineOptionsOf(arguments, stop);
  HW_TRY(auto cluster, JoinHosts(arguments.hosts, arguments.model, &engine_options));
  HostsMeter hosts(std::move(cluster));
  HW_TRY_VOID(CheckCounts(arguments));
  HW_TRY(SamplingParams sampling, ReadSampling(arguments));
  HW_TRY(const SpeculationRequest speculation, ReadSpeculation(arguments));
  HW_TRY(GrammarTexts grammar, ReadGrammar(arguments));
  HW_TRY(Prompt prompt, ReadPrompt(arguments));
  HW_TRY(const bool gated, CheckGates(arguments.model, arguments.kv, arguments.allow_ungated));
  engine_options.draft_model = speculation.draft_model;
  HW_TRY(engine_options.usage_text, ReadUsageFor(arguments));
  HW_TRY(const Engine engine, Engine::Open(arguments.model, engine_options));
  HW_TRY_VOID(EncodePrompt(arguments, engine, &prompt));
  const std::string& chat_format = engine.Summary().chat_format;
  if (arguments.chat && arguments.chat_template_file.empty() && !chat_format.empty()) {
    Notice("headway: the model's file has no chat template: using the format of " + chat_format +
           "\n");
  }
  if (!gated && !arguments.allow_ungated) {
    Notice(fmt::format("headway: {0} was never gated (headway gate all {0})\n", arguments.model));
  }

  TextStream stream(arguments.chat ? "" : prompt.text, stop);
  std::unique_ptr<Progress> progress;
  std::string_view current_work;
  const uint64_t seed = sampling.seed;
  GenerateOptions options{.max_new_tokens = arguments.max_new_tokens,
                          .kv = ParseKv(arguments.kv),
                          .sampling = std::move(sampling),
                          .speculation = speculation.params,
                          .certificate = arguments.certificate,
                          .audit_every = arguments.audit_every,
                          .grammar = std::move(grammar.gbnf),
                          .json_schema = std::move(grammar.json_schema),
                          .json_whitespace = arguments.json_whitespace == "free"
                                                 ? JsonWhitespace::kFree
                                                 : JsonWhitespace::kCanonical,
                          .finish_within_budget = arguments.finish_within_budget,
                          .stop = arguments.stop,
                          .want_logprobs = arguments.logprobs,
                          .stop_at_end = !arguments.ignore_end,
                          .cancelled_or_null = stop};
  options.progress = [&](const char* work, int64_t done, int64_t total) {
    if (progress == nullptr || current_work != work) {
      progress =
          std::make_unique<Progress>(work, static_cast<uint64_t>(total), true, stream.LineIsOpen());
      current_work = work;
    }
    progress->Update(static_cast<uint64_t>(done));
    if (done == total) progress.reset();
  };
  const auto print = [&](const GeneratedToken& token) {
    hosts.Start();
    if (!arguments.json) stream.Write(token.text);
  };
  HW_TRY(const Generation generation, engine.Generate(prompt.ids, options, print));
  progress.reset();
  HW_TRY(const HostsReport traffic, hosts.Finish(engine.Summary(), generation.counters.steps));
  if (arguments.json) {
    HW_TRY_VOID(WriteJson(RunReport(engine.Summary(), prompt.ids, seed, generation, traffic)));
  } else {
    HW_TRY_VOID(stream.Finish());
  }
  return Report(arguments, engine.Summary(), seed, generation, traffic);
}

}  // namespace headway::cli
