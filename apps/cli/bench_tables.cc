#include "bench_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bench_common.h"
#include "engine/session.h"
#include "lab/measure/turns.h"
#include "numbers.h"
#include "profile_table.h"

namespace headway::cli {

using measure::Spread;

Result<void> BenchMemory(int max_threads, const BenchSetting& setting) {
  measure::ReadBandwidth bandwidth(measure::kBandwidthBytes);
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<std::function<double()>> variants;
  pools.reserve(static_cast<size_t>(max_threads));
  variants.reserve(static_cast<size_t>(max_threads));
  for (int n = 1; n <= max_threads; ++n) {
    HW_TRY(auto pool, ThreadPool::Start(n));
    pools.push_back(std::move(pool));
    variants.emplace_back(
        [&bandwidth, pool = pools.back().get()] { return bandwidth.Measure(pool) * 1e-9; });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  Say(setting, "memory: reading {} that no cache holds\n",
      FormatBytes(static_cast<double>(bandwidth.SizeBytes())));
  Say(setting, "{:>8}{:>10}{:>20}\n", "threads", "GB/s", "min - max");
  for (size_t i = 0; i < results.size(); ++i) {
    const Spread& v = results[i].value;
    Say(setting, "{:>8}{:>10.1f}{:>20}\n", i + 1, v.median,
        fmt::format("{:.1f} - {:.1f}", v.min, v.max));
    Keep(setting, {.table = "memory",
                   .row = fmt::format("{} threads", i + 1),
                   .figures = {{"gbps", v.median}, {"min", v.min}, {"max", v.max}},
                   .logits_hash = ""});
  }
  return {};
}

Result<void> BenchChain(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth) {
  HW_TRY(const auto session,
         NewSession(setting, model, model->pipeline,
                    setting.context + setting.rounds * setting.tokens + setting.tokens + 2));
  HW_TRY_VOID(session->Append(MadeUpIds(setting.context, model->pipeline->model().vocab_size)));
  struct Part {
    const char* name;
    std::vector<double> tokens_per_second, gbps, share;
  };
  std::vector<Part> parts = {{"step", {}, {}, {}}, {"layers", {}, {}, {}}, {"head", {}, {}, {}}};
  std::vector<uint64_t> samples;
  for (int round = 0; round <= setting.rounds; ++round) {
    const double floor = bandwidth->Measure(model->pool.get());
    const Counters before = session->GetCounters();
    for (int64_t i = 0; i < setting.tokens; ++i) {
      HW_TRY([[maybe_unused]] const auto choice, session->Decode());
    }
    if (round == 0) continue;  // warm-up
    const Counters& after = session->GetCounters();
    const double steps = static_cast<double>(after.steps - before.steps);
    const std::vector<std::pair<uint64_t, uint64_t>> figures = {
        {after.step_ns - before.step_ns, after.layers_bytes_read + after.head_bytes_read -
                                             before.layers_bytes_read - before.head_bytes_read},
        {after.layers_ns - before.layers_ns, after.layers_bytes_read - before.layers_bytes_read},
        {after.head_predict_ns - before.head_predict_ns,
         after.head_bytes_read - before.head_bytes_read}};
    for (size_t p = 0; p < parts.size(); ++p) {
      const double rate = static_cast<double>(figures[p].second) / Seconds(figures[p].first);
      parts[p].tokens_per_second.push_back(steps / Seconds(figures[p].first));
      parts[p].gbps.push_back(rate * 1e-9);
      parts[p].share.push_back(100.0 * rate / floor);
    }
    samples.insert(
        samples.end(),
        after.step_samples_ns.begin() + static_cast<int64_t>(before.step_samples_ns.size()),
        after.step_samples_ns.end());
  }
  Title(setting, *model, "chain");
  Say(setting, "{:<10}{:>12}{:>22}{:>10}{:>18}\n", "part", "a second", "min - max", "GB/s",
      "share of memory");
  for (const Part& part : parts) {
    const Spread speed = measure::Summarise(part.tokens_per_second);
    Say(setting, "{:<10}{:>12.2f}{:>22}{:>10.1f}{:>16.0f} %\n", part.name, speed.median,
        fmt::format("{:.2f} - {:.2f}", speed.min, speed.max), measure::Summarise(part.gbps).median,
        measure::Summarise(part.share).median);
    Keep(setting, {.table = "chain",
                   .row = part.name,
                   .figures = {{"tokens_per_second", speed.median},
                               {"min", speed.min},
                               {"max", speed.max},
                               {"gbps", measure::Summarise(part.gbps).median},
                               {"share_of_memory", measure::Summarise(part.share).median}},
                   .logits_hash = fmt::format("{:016x}", session->LastLogitsHash())});
  }
  Say(setting, "p50 {:.3f} ms, p99 {:.3f} ms; context {}; logits hash {:016x}\n",
      static_cast<double>(Percentile(samples, 50)) * 1e-6,
      static_cast<double>(Percentile(samples, 99)) * 1e-6, session->Tokens().size(),
      session->LastLogitsHash());
  return {};
}

Result<void> BenchPrefill(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  Title(setting, *model, "prefill");
  Say(setting, "{:>8}{:>12}{:>20}{:>18}\n", "tokens", "tokens/s", "min - max", "logits hash");
  for (const int64_t count : {int64_t{128}, int64_t{512}}) {
    if (count > model->pipeline->manifest().ContextTokens()) continue;
    HW_TRY(const auto session, NewSession(setting, model, model->pipeline, count));
    const std::vector<int32_t> ids = MadeUpIds(count, config.vocab_size);
    std::vector<double> speeds;
    for (int round = 0; round <= setting.rounds; ++round) {
      session->Truncate(0);
      const uint64_t start = NowNs();
      HW_TRY_VOID(session->Append(ids));
      if (round > 0) speeds.push_back(static_cast<double>(count) / Seconds(NowNs() - start));
    }
    const Spread speed = measure::Summarise(speeds);
    Say(setting, "{:>8}{:>12.1f}{:>20}{:>18}\n", count, speed.median,
        fmt::format("{:.1f} - {:.1f}", speed.min, speed.max),
        fmt::format("{:016x}", session->LastLogitsHash()));
    Keep(setting,
         {.table = "prefill",
          .row = fmt::format("{} tokens", count),
          .figures = {{"tokens_per_second", speed.median}, {"min", speed.min}, {"max", speed.max}},
          .logits_hash = fmt::format("{:016x}", session->LastLogitsHash())});
  }
  return {};
}

Result<void> BenchBatch(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  const std::vector<int64_t> widths = {1, 2, 4, 8};
  HW_TRY(const auto session, NewSession(setting, model, model->pipeline, setting.context + 8));
  const std::vector<int32_t> ids = MadeUpIds(setting.context + 8, config.vocab_size);
  const std::span<const int32_t> all(ids);
  const auto context = static_cast<size_t>(setting.context);
  Result<void> failure;
  uint64_t hash = 0;
  std::vector<std::function<double()>> variants;
  variants.reserve(widths.size());
  for (const int64_t width : widths) {
    variants.emplace_back([&, width] {
      // The first `context` tokens stay cached; Truncate() makes the last of them run again,
      // outside the clock.
      session->Truncate(setting.context);
      if (session->Tokens().empty()) failure = session->Append(all.first(context));
      if (const auto logits = session->Logits(); !logits)
        failure = tl::unexpected<Error>(logits.error());
      const uint64_t start = NowNs();
      const Result<void> step = session->AppendWithLogits(
          all.subspan(context, static_cast<size_t>(width)), [](int64_t, std::span<const float>) {});
      const double ms = Seconds(NowNs() - start) * 1e3;
      if (!step) failure = step;
      return ms;
    });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  if (!failure) return failure;
  hash = session->LastLogitsHash();
  Title(setting, *model, "batch (one step of several tokens, logits of each)");
  Say(setting, "{:>8}{:>12}{:>14}{:>20}\n", "tokens", "ms a step", "against one", "95 % interval");
  for (size_t i = 0; i < widths.size(); ++i) {
    const Spread& ratio = results[i].ratio_to_first;
    Say(setting, "{:>8}{:>12.3f}{:>14.3f}{:>20}\n", widths[i], results[i].value.median,
        ratio.median, fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high));
    Keep(setting, {.table = "batch",
                   .row = fmt::format("{} tokens", widths[i]),
                   .figures = {{"ms", results[i].value.median},
                               {"ratio", ratio.median},
                               {"ratio_low", ratio.low},
                               {"ratio_high", ratio.high}},
                   .logits_hash = fmt::format("{:016x}", hash)});
  }
  Say(setting, "logits hash {:016x}\n", hash);
  return {};
}

}  // namespace headway::cli
