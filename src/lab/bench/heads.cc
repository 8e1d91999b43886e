// The tables of the head: kinds side by side, selection.

#include <algorithm>

#include "base/clock.h"
#include "lab/bench/table.h"
#include "sampling/ranges.h"

namespace headway::lab {

Result<BenchTable> BenchHeads(const Bench& bench) {
  const BenchRequest& request = bench.request;
  OpenedModel& model = *bench.model;
  const Manifest& manifest = model.pipeline->manifest();
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<measure::Variant> variants;
  std::vector<double> reduce_share(manifest.heads.size(), 0.0);
  sessions.reserve(manifest.heads.size());
  variants.reserve(manifest.heads.size());
  for (size_t h = 0; h < manifest.heads.size(); ++h) {
    HW_TRY(auto pipeline, Pipeline::Open(model.pipeline->Directory(), model.loader.get(),
                                         manifest.heads[h].kind, false));
    HW_TRY(auto executor,
           Executor::Create(std::move(pipeline), model.pool.get(), model.kernels->kernels));
    HW_TRY(auto session, NewSession(bench, std::move(executor),
                                    request.context + (2 * request.rounds + 2) * request.tokens));
    HW_TRY_VOID(session->Append(MadeUpIds(bench, request.context)));
    sessions.push_back(std::move(session));
    variants.emplace_back([&, session = sessions.back().get(), h]() -> Result<double> {
      const Counters before = session->GetCounters();
      for (int64_t i = 0; i < request.tokens; ++i) HW_TRY_VOID(session->Decode());
      const Counters& after = session->GetCounters();
      const double head_ns = static_cast<double>(after.head_ns - before.head_ns);
      reduce_share[h] = static_cast<double>(after.head_reduce_ns - before.head_reduce_ns) / head_ns;
      return head_ns * 1e-6 / static_cast<double>(after.steps - before.steps);
    });
  }
  std::vector<double> reads(5);  // one alone may meet a busy machine
  for (double& read : reads) read = bench.bandwidth->Measure(model.pool.get());
  const double floor = measure::Summarise(std::move(reads)).median;
  HW_TRY(const auto results, measure::MeasureInTurns(variants, 2 * request.rounds, 1));
  BenchTable table = NewTable(bench, "head", "head",
                              {"head", "ms a token", "to the first", "95 % interval", "% of memory",
                               "% reduction", "logits"});
  for (size_t h = 0; h < results.size(); ++h) {
    uint64_t bytes = 0;
    for (const HeadShard& shard : manifest.heads[h].shards) bytes += shard.file.bytes;
    const double ms = results[h].value.median;
    BenchRow row{.name = manifest.heads[h].kind, .figures = {Number("ms", ms, 3)}};
    Add(Ratio("ratio", results[h].ratio_to_first), &row);
    Add({Number("share_of_memory", 100.0 * static_cast<double>(bytes) / (ms * 1e-3) / floor, 0),
         Number("reduction_share", 100.0 * reduce_share[h], 2), LogitsHash(sessions[h].get())},
        &row);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Result<BenchTable> BenchSampling(const Bench& bench) {
  OpenedModel& model = *bench.model;
  HW_TRY(const auto session, NewContext(bench, bench.request.context + 1));
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
  std::vector<measure::Variant> variants;
  samplers.reserve(kinds.size());
  variants.reserve(kinds.size());
  for (const auto& kind : kinds) {
    samplers.push_back(std::make_unique<sampling::Sampler>(kind.second, model.summary.vocab_size,
                                                           model.kernels->kernels, *model.pool));
    variants.emplace_back([&, sampler = samplers.back().get()] {
      constexpr int kRepeats = 20;
      uint64_t ns = 0;
      for (int i = 0; i < kRepeats; ++i) {
        // A sampler may change them. By the whole team, as a head leaves logits: each thread has
        // written a part and is awake.
        sampling::ForEachRange(*model.pool, logits.size(), [&](size_t, size_t begin, size_t end) {
          std::copy_n(logits.data() + begin, end - begin, work.data() + begin);
        });
        const uint64_t start = NowNs();
        sampler->Sample(work, static_cast<uint64_t>(i), session->Tokens());
        ns += NowNs() - start;
      }
      return Seconds(ns) * 1e3 / kRepeats;
    });
  }
  HW_TRY(const auto results, measure::MeasureInTurns(variants, 2 * bench.request.rounds, 1));
  BenchTable table =
      NewTable(bench, "sampling", fmt::format("sampling over {} tokens", model.summary.vocab_size),
               {"selection", "ms a token", "min - max", "more than greedy, ms"});
  for (size_t i = 0; i < kinds.size(); ++i) {
    BenchRow line{.name = kinds[i].first, .figures = Speed("ms", results[i].value, 3)};
    line.figures.push_back(
        Number("more_than_greedy_ms", results[i].value.median - results[0].value.median, 3));
    table.rows.push_back(std::move(line));
  }
  return table;
}

}  // namespace headway::lab
