// headway bench: how fast, against what the memory can deliver.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bench_tables.h"
#include "commands.h"
#include "json_report.h"
#include "numbers.h"
#include "output.h"
#include "pack/open_model.h"

namespace headway::cli {
namespace {

Result<void> Finish(const BenchArguments& arguments, const ModelSummary* model_or_null,
                    const std::vector<BenchRow>& rows) {
  if (arguments.json) return WriteOut(BenchJson(model_or_null, rows));
  return {};
}

}  // namespace

Result<void> Bench(const BenchArguments& arguments) {
  std::vector<BenchRow> rows;
  const BenchSetting setting{.tokens = arguments.tokens,
                             .context = arguments.context,
                             .rounds = arguments.rounds,
                             .kv = ParseKv(arguments.kv),
                             .rows_or_null = arguments.json ? &rows : nullptr};
  if (setting.tokens < 1 || setting.context < 1 || setting.rounds < 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("bench: expected tokens, context and rounds of at least 1, found {}, {} and {}",
                    setting.tokens, setting.context, setting.rounds));
  }
  constexpr std::array<std::string_view, 9> kKnown = {
      "memory", "chain", "prefill", "batch", "head", "sampling", "context", "speculate", "all"};
  if (std::find(kKnown.begin(), kKnown.end(), arguments.what) == kKnown.end()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("bench: expected one of {}, found '{}'",
                                                      fmt::join(kKnown, ", "), arguments.what));
  }
  const bool certified =
      arguments.what == "head" && (!arguments.margins.empty() || !arguments.hidden.empty());
  const bool lookup = arguments.what == "speculate" && !arguments.prompt_file.empty();
  if (arguments.sampled && !certified && !lookup) {
    return Fail(ErrorCode::kInvalidInput,
                "--sampled: expected bench head with --margin or --hidden, or bench speculate with "
                "--prompt-file, found neither");
  }
  const bool all = arguments.what == "all";
  if (all || arguments.what == "memory") {
    HW_TRY_VOID(
        BenchMemory(arguments.threads == 0 ? DefaultThreads() : arguments.threads, setting));
    if (!all) return Finish(arguments, nullptr, rows);
  }
  if (arguments.model.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("bench {}: expected a GGUF or a package, found none", arguments.what));
  }
  const char* forced = std::getenv("HEADWAY_CPU");
  const EngineOptions options{.threads = arguments.threads,
                              .instruction_set = forced == nullptr ? "" : forced,
                              .topology = "",
                              .head = certified ? "certified" : "",
                              .cache_directory = "",
                              .load = ParseLoad(arguments.load),
                              .verify_contents = false,
                              .show_progress = true};
  HW_TRY(const auto model, OpenModel(arguments.model, options));
  if (certified) {
    HW_TRY_VOID(BenchCertified(model.get(), setting, arguments.margins, arguments.hidden,
                               arguments.sampled));
    return Finish(arguments, &model->summary, rows);
  }
  std::optional<measure::ReadBandwidth> bandwidth;  // takes memory and time: only for its tables
  const auto memory = [&] {
    if (!bandwidth) bandwidth.emplace(measure::kBandwidthBytes);
    return &*bandwidth;
  };
  const auto wanted = [&](const char* name) { return all || arguments.what == name; };
  if (wanted("chain")) HW_TRY_VOID(BenchChain(model.get(), setting, memory()));
  if (wanted("prefill")) HW_TRY_VOID(BenchPrefill(model.get(), setting));
  if (wanted("batch")) HW_TRY_VOID(BenchBatch(model.get(), setting));
  if (wanted("speculate")) {
    HW_TRY_VOID(!lookup
                    ? BenchSpeculation(model.get(), setting)
                    : BenchLookup(model.get(), setting, arguments.prompt_file, arguments.sampled));
  }
  if (wanted("head")) HW_TRY_VOID(BenchHeads(model.get(), setting, memory()));
  if (wanted("sampling")) HW_TRY_VOID(BenchSampling(model.get(), setting));
  if (wanted("context")) HW_TRY_VOID(BenchContext(model.get(), setting, memory()));
  return Finish(arguments, &model->summary, rows);
}

}  // namespace headway::cli
