// headway bench: how fast, against what the memory can deliver.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "bench_tables.h"
#include "commands.h"
#include "numbers.h"

namespace headway::cli {

Result<void> Bench(const BenchArguments& arguments) {
  const BenchSetting setting{
      .tokens = arguments.tokens, .context = arguments.context, .rounds = arguments.rounds};
  if (setting.tokens < 1 || setting.context < 1 || setting.rounds < 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("bench: expected tokens, context and rounds of at least 1, found {}, {} and {}",
                    setting.tokens, setting.context, setting.rounds));
  }
  constexpr std::array<std::string_view, 7> kKnown = {"memory", "chain",    "prefill", "batch",
                                                      "head",   "sampling", "all"};
  if (std::find(kKnown.begin(), kKnown.end(), arguments.what) == kKnown.end()) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("bench: expected one of {}, found '{}'",
                                                      fmt::join(kKnown, ", "), arguments.what));
  }
  const bool all = arguments.what == "all";
  if (all || arguments.what == "memory") {
    BenchMemory(arguments.threads == 0 ? DefaultThreads() : arguments.threads, setting);
    if (!all) return {};
  }
  if (arguments.model.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("bench {}: expected a GGUF or a package, found none", arguments.what));
  }
  const char* forced = std::getenv("HEADWAY_CPU");
  const EngineOptions options{.threads = arguments.threads,
                              .instruction_set = forced == nullptr ? "" : forced,
                              .topology = "",
                              .head = "",
                              .cache_directory = "",
                              .load = ParseLoad(arguments.load),
                              .verify_contents = false,
                              .show_progress = true};
  HW_TRY(const auto model, OpenModel(arguments.model, options));
  measure::ReadBandwidth bandwidth(measure::kBandwidthBytes);
  const auto wanted = [&](const char* name) { return all || arguments.what == name; };
  if (wanted("chain")) HW_TRY_VOID(BenchChain(model.get(), setting, &bandwidth));
  if (wanted("prefill")) HW_TRY_VOID(BenchPrefill(model.get(), setting));
  if (wanted("batch")) HW_TRY_VOID(BenchBatch(model.get(), setting));
  if (wanted("head")) HW_TRY_VOID(BenchHeads(model.get(), setting, &bandwidth));
  if (wanted("sampling")) HW_TRY_VOID(BenchSampling(model.get(), setting));
  return {};
}

}  // namespace headway::cli
