// The tables of the head: kinds side by side, selection.

#include <algorithm>
#include <functional>

#include "base/clock.h"
#include "bench_common.h"
#include "lab/measure/turns.h"
#include "sampling/ranges.h"

namespace headway::cli {

using measure::Spread;

Result<void> BenchHeads(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth) {
  const Manifest& manifest = model->pipeline->manifest();
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::function<double()>> variants;
  std::vector<double> reduce_share(manifest.heads.size(), 0.0);
  Result<void> failure;
  sessions.reserve(manifest.heads.size());
  variants.reserve(manifest.heads.size());
  for (size_t h = 0; h < manifest.heads.size(); ++h) {
    HW_TRY(auto pipeline, Pipeline::Open(model->pipeline->Directory(), model->backend.get(),
                                         manifest.heads[h].kind, false));
    HW_TRY(auto session, NewSession(setting, model, std::move(pipeline),
                                    setting.context + (2 * setting.rounds + 2) * setting.tokens));
    HW_TRY_VOID(session->Append(MadeUpIds(setting.context, manifest.model.vocab_size)));
    Session* raw = session.get();
    sessions.push_back(std::move(session));
    variants.emplace_back([&, raw, h] {
      const Counters before = raw->GetCounters();
      for (int64_t i = 0; i < setting.tokens; ++i) {
        if (const auto choice = raw->Decode(); !choice)
          failure = tl::unexpected<Error>(choice.error());
      }
      const Counters& after = raw->GetCounters();
      const double head_ns = static_cast<double>(after.head_ns - before.head_ns);
      reduce_share[h] = static_cast<double>(after.head_reduce_ns - before.head_reduce_ns) / head_ns;
      return head_ns * 1e-6 / static_cast<double>(after.steps - before.steps);
    });
  }
  std::vector<double> reads(5);  // one alone may meet a busy machine
  for (double& read : reads) read = bandwidth->Measure(model->pool.get());
  const double floor = measure::Summarise(std::move(reads)).median;
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  if (!failure) return failure;
  Title(setting, *model, "head");
  Say(setting, "{:<14}{:>12}{:>14}{:>20}{:>12}{:>12}{:>18}\n", "head", "ms a token", "to the first",
      "95 % interval", "memory", "reduction", "logits hash");
  for (size_t h = 0; h < results.size(); ++h) {
    uint64_t bytes = 0;
    for (const HeadShard& shard : manifest.heads[h].shards) bytes += shard.file.bytes;
    const Spread& ratio = results[h].ratio_to_first;
    Say(setting, "{:<14}{:>12.3f}{:>14.3f}{:>20}{:>10.0f} %{:>10.2f} %{:>18}\n",
        manifest.heads[h].kind, results[h].value.median, ratio.median,
        fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high),
        100.0 * static_cast<double>(bytes) / (results[h].value.median * 1e-3) / floor,
        100.0 * reduce_share[h], fmt::format("{:016x}", sessions[h]->LastLogitsHash()));
    Keep(setting, {.table = "head",
                   .row = manifest.heads[h].kind,
                   .figures = {{"ms", results[h].value.median},
                               {"ratio", ratio.median},
                               {"ratio_low", ratio.low},
                               {"ratio_high", ratio.high},
                               {"reduction_share", 100.0 * reduce_share[h]}},
                   .logits_hash = fmt::format("{:016x}", sessions[h]->LastLogitsHash())});
  }
  return {};
}

Result<void> BenchSampling(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  HW_TRY(const auto session, NewSession(setting, model, model->pipeline, setting.context + 1));
  HW_TRY_VOID(session->Append(MadeUpIds(setting.context, config.vocab_size)));
  HW_TRY(const std::span<const float> row, session->Logits());
  const std::vector<float> logits(row.begin(), row.end());
  std::vector<float> work(logits);
  SamplingParams whole;
  whole.temperature = 1.0F;
  SamplingParams nucleus = whole;
  nucleus.top_p = 0.95F;
  SamplingParams top40 = whole;
  top40.top_k = 40;
  const std::vector<std::pair<const char*, SamplingParams>> kinds = {
      {"greedy", SamplingParams{}},
      {"temp 1", whole},
      {"temp 1, top-p 0.95", nucleus},
      {"temp 1, top-k 40", top40}};
  std::vector<std::unique_ptr<sampling::Sampler>> samplers;
  samplers.reserve(kinds.size());
  std::vector<std::function<double()>> variants;
  for (const auto& kind : kinds) {
    samplers.push_back(std::make_unique<sampling::Sampler>(kind.second, config.vocab_size,
                                                           model->kernels->kernels, *model->pool));
    variants.emplace_back([&, sampler = samplers.back().get()] {
      constexpr int kRepeats = 20;
      uint64_t ns = 0;
      for (int i = 0; i < kRepeats; ++i) {
        // A sampler may change them. By the whole team, as a head leaves logits: each thread has
        // written a part and is awake.
        sampling::ForEachRange(*model->pool, logits.size(), [&](size_t, size_t begin, size_t end) {
          std::copy_n(logits.data() + begin, end - begin, work.data() + begin);
        });
        const uint64_t start = NowNs();
        sampler->Sample(work, static_cast<uint64_t>(i), session->Tokens());
        ns += NowNs() - start;
      }
      return Seconds(ns) * 1e3 / kRepeats;
    });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  Title(setting, *model, fmt::format("sampling over {} tokens", config.vocab_size));
  Say(setting, "{:<22}{:>12}{:>18}{:>22}\n", "selection", "ms a token", "min - max",
      "more than greedy, ms");
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Spread& v = results[i].value;
    Say(setting, "{:<22}{:>12.3f}{:>18}{:>22.3f}\n", kinds[i].first, v.median,
        fmt::format("{:.3f} - {:.3f}", v.min, v.max), v.median - results[0].value.median);
    Keep(setting, {.table = "sampling",
                   .row = kinds[i].first,
                   .figures = {{"ms", v.median},
                               {"min", v.min},
                               {"max", v.max},
                               {"more_than_greedy_ms", v.median - results[0].value.median}},
                   .logits_hash = ""});
  }
  return {};
}

}  // namespace headway::cli
