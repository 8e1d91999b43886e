// What a long context costs: decode steps after n tokens, against the bytes of their keys and
// values.

#include <algorithm>
#include <functional>

#include "base/clock.h"
#include "bench_common.h"
#include "kernels/kernel_set.h"
#include "lab/measure/turns.h"
#include "numbers.h"

namespace headway::cli {

Result<void> BenchContext(OpenedModel* model, const BenchSetting& setting,
                          measure::ReadBandwidth* bandwidth) {
  std::vector<int64_t> lengths;
  for (const int64_t length : {128, 1024, 2048, 4096, 8192, 16384}) {
    if (length + setting.tokens + 2 <= model->pipeline->manifest().ContextTokens())
      lengths.push_back(length);
  }
  if (lengths.empty()) return {};
  const int64_t capacity = lengths.back() + setting.tokens + 2;
  HW_TRY(const auto session, NewSession(setting, model, model->pipeline, capacity));
  const int64_t key_tiles = (capacity + kernels::kKeyTile - 1) / kernels::kKeyTile;
  const double bytes_per_position = static_cast<double>(session->GetCounters().kv_bytes) /
                                    static_cast<double>(key_tiles * kernels::kKeyTile);
  Result<void> failure;
  std::vector<std::function<double()>> variants;
  variants.reserve(lengths.size() + 1);
  for (const int64_t length : lengths) {
    variants.emplace_back([&, length] {
      session->AssumeContext(length);
      const uint64_t start = NowNs();
      for (int64_t i = 0; i < setting.tokens; ++i) {
        if (const auto choice = session->Decode(); !choice)
          failure = tl::unexpected<Error>(choice.error());
      }
      return Seconds(NowNs() - start) * 1e3 / static_cast<double>(setting.tokens);
    });
  }
  // Milliseconds to read what the longest context adds, in the same round.
  const double longest = bytes_per_position * static_cast<double>(lengths.back() - lengths.front());
  variants.emplace_back([&] { return longest / bandwidth->Measure(model->pool.get()) * 1e3; });
  const auto results = measure::MeasureInTurns(variants, setting.rounds, 1);
  if (!failure) return failure;
  Title(setting, *model, "context (decode steps after made-up tokens)");
  Say(setting, "{:>8}{:>12}{:>20}{:>16}{:>14}{:>18}\n", "tokens", "ms a step", "min - max",
      "keys, values", "added, ms", "of reading them");
  const double first = results[0].value.median;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const measure::Spread& step = results[i].value;
    const double bytes = bytes_per_position * static_cast<double>(lengths[i]);
    const double added = step.median - first;
    const double reading = results.back().value.median *
                           static_cast<double>(lengths[i] - lengths[0]) /
                           static_cast<double>(std::max<int64_t>(1, lengths.back() - lengths[0]));
    const double share = i == 0 ? 0.0 : added / reading;
    Say(setting, "{:>8}{:>12.3f}{:>20}{:>16}{:>14.3f}{:>18}\n", lengths[i], step.median,
        fmt::format("{:.3f} - {:.3f}", step.min, step.max), FormatBytes(bytes), added,
        i == 0 ? std::string("-") : fmt::format("{:.2f}", share));
    Keep(setting, {.table = "context",
                   .row = fmt::format("{} tokens", lengths[i]),
                   .figures = {{"tokens", static_cast<double>(lengths[i])},
                               {"ms", step.median},
                               {"min", step.min},
                               {"max", step.max},
                               {"kv_bytes", bytes},
                               {"added_ms", added},
                               {"reading_ms", reading}},
                   .logits_hash = ""});
  }
  return {};
}

}  // namespace headway::cli
