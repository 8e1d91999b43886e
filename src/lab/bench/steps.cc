// The tables of whole steps: decoding, prompts, several tokens at once, long contexts.

#include <algorithm>

#include "base/clock.h"
#include "kernels/kernel_set.h"
#include "lab/bench/table.h"

namespace headway::lab {

Result<BenchTable> BenchMemory(const Bench& bench) {
  const int max_threads = bench.request.threads == 0 ? DefaultThreads() : bench.request.threads;
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<measure::Variant> variants;
  pools.reserve(static_cast<size_t>(max_threads));
  variants.reserve(static_cast<size_t>(max_threads));
  for (int n = 1; n <= max_threads; ++n) {
    HW_TRY(auto pool, ThreadPool::Start(n));
    pools.push_back(std::move(pool));
    variants.emplace_back(
        [&, pool = pools.back().get()] { return bench.bandwidth->Measure(pool) * 1e-9; });
  }
  HW_TRY(const auto results, measure::MeasureInTurns(variants, 2 * bench.request.rounds, 1));
  BenchTable table{.name = "memory",
                   .title = fmt::format("memory: reading {} MB that no cache holds",
                                        bench.bandwidth->SizeBytes() / 1'000'000),
                   .columns = {"", "GB/s", "min - max"},
                   .rows = {},
                   .note = ""};
  for (size_t i = 0; i < results.size(); ++i) {
    table.rows.push_back(
        {.name = fmt::format("{} threads", i + 1), .figures = Speed("gbps", results[i].value, 1)});
  }
  return table;
}

Result<BenchTable> BenchChain(const Bench& bench) {
  const BenchRequest& request = bench.request;
  HW_TRY(const auto session,
         NewContext(bench, request.context + (request.rounds + 1) * request.tokens + 2));
  struct PartSamples {
    const char* name;
    uint64_t Counters::*ns;
    std::vector<double> tokens_per_second, gbps, share;
  };
  std::vector<PartSamples> parts = {{"step", &Counters::step_ns, {}, {}, {}},
                                    {"layers", &Counters::layers_ns, {}, {}, {}},
                                    {"head", &Counters::head_predict_ns, {}, {}, {}}};
  std::vector<uint64_t> samples;
  for (int round = 0; round <= request.rounds; ++round) {
    const double floor = bench.bandwidth->Measure(bench.model->pool.get());
    const Counters before = session->GetCounters();
    for (int64_t i = 0; i < request.tokens; ++i) HW_TRY_VOID(session->Decode());
    if (round == 0) continue;  // warm-up
    const Counters& after = session->GetCounters();
    const uint64_t layers = after.layers_bytes_read - before.layers_bytes_read;
    const uint64_t head = after.head_bytes_read - before.head_bytes_read;
    const uint64_t bytes[] = {layers + head, layers, head};
    for (size_t p = 0; p < parts.size(); ++p) {
      const double seconds = Seconds(after.*parts[p].ns - before.*parts[p].ns);
      const double rate = static_cast<double>(bytes[p]) / seconds;
      parts[p].tokens_per_second.push_back(static_cast<double>(after.steps - before.steps) /
                                           seconds);
      parts[p].gbps.push_back(rate * 1e-9);
      parts[p].share.push_back(100.0 * rate / floor);
    }
    samples.insert(
        samples.end(),
        after.step_samples_ns.begin() + static_cast<int64_t>(before.step_samples_ns.size()),
        after.step_samples_ns.end());
  }
  BenchTable table = NewTable(bench, "chain", "chain",
                              {"part", "a second", "min - max", "GB/s", "% of memory", "logits"});
  for (const PartSamples& part : parts) {
    BenchRow row{
        .name = part.name,
        .figures = Speed("tokens_per_second", measure::Summarise(part.tokens_per_second), 2)};
    Add({Number("gbps", measure::Summarise(part.gbps).median, 1),
         Number("share_of_memory", measure::Summarise(part.share).median, 0),
         LogitsHash(session.get())},
        &row);
    table.rows.push_back(std::move(row));
  }
  table.note = fmt::format(
      "p50 {:.3f} ms, p99 {:.3f} ms; context {}", 1e3 * Seconds(measure::Percentile(samples, 50)),
      1e3 * Seconds(measure::Percentile(samples, 99)), session->Tokens().size());
  return table;
}

Result<BenchTable> BenchPrefill(const Bench& bench) {
  BenchTable table = NewTable(bench, "prefill", "prefill", {"", "tokens/s", "min - max", "logits"});
  for (const int64_t count : {int64_t{128}, int64_t{512}}) {
    if (count > bench.model->summary.context_tokens) continue;
    HW_TRY(const auto session, NewSession(bench, bench.model->executor, count));
    const std::vector<int32_t> ids = MadeUpIds(bench, count);
    std::vector<double> speeds;
    for (int round = 0; round <= bench.request.rounds; ++round) {
      session->Truncate(0);
      const uint64_t start = NowNs();
      HW_TRY_VOID(session->Append(ids));
      if (round > 0) speeds.push_back(static_cast<double>(count) / Seconds(NowNs() - start));
    }
    BenchRow row{.name = fmt::format("{} tokens", count),
                 .figures = Speed("tokens_per_second", measure::Summarise(speeds), 1)};
    row.figures.push_back(LogitsHash(session.get()));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Result<BenchTable> BenchBatch(const Bench& bench) {
  const std::vector<int64_t> widths = {1, 2, 4, 8};
  const auto context = static_cast<size_t>(bench.request.context);
  HW_TRY(const auto session, NewContext(bench, bench.request.context + widths.back()));
  const std::vector<int32_t> ids = MadeUpIds(bench, bench.request.context + widths.back());
  std::vector<measure::Variant> variants;
  variants.reserve(widths.size());
  for (const int64_t width : widths) {
    variants.emplace_back([&, width]() -> Result<double> {
      // Truncate() makes the last token run again, outside the clock.
      session->Truncate(bench.request.context);
      HW_TRY_VOID(session->Logits());
      const uint64_t start = NowNs();
      HW_TRY_VOID(
          session->AppendWithLogits(std::span(ids).subspan(context, static_cast<size_t>(width)),
                                    [](int64_t, std::span<const float>) {}));
      return Seconds(NowNs() - start) * 1e3;
    });
  }
  HW_TRY(const auto results, measure::MeasureInTurns(variants, 2 * bench.request.rounds, 1));
  BenchTable table = NewTable(bench, "batch", "batch (one step of several tokens, logits of each)",
                              {"", "ms a step", "against one", "95 % interval", "logits"});
  for (size_t i = 0; i < widths.size(); ++i) {
    BenchRow row{.name = fmt::format("{} tokens", widths[i]),
                 .figures = {Number("ms", results[i].value.median, 3)}};
    Add(Ratio("ratio", results[i].ratio_to_first), &row);
    row.figures.push_back(LogitsHash(session.get()));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Result<BenchTable> BenchContext(const Bench& bench) {
  const BenchRequest& request = bench.request;
  BenchTable table = NewTable(
      bench, "context", "context (decode steps after made-up tokens)",
      {"", "ms a step", "min - max", "MB of keys, values", "added, ms", "of reading them"});
  std::vector<int64_t> lengths;
  for (const int64_t length : {128, 1024, 2048, 4096, 8192, 16384}) {
    if (length + request.tokens + 2 <= bench.model->summary.context_tokens)
      lengths.push_back(length);
  }
  if (lengths.empty()) return table;
  const int64_t capacity = lengths.back() + request.tokens + 2;
  HW_TRY(const auto session, NewSession(bench, bench.model->executor, capacity));
  const int64_t positions = kernels::NumKvPages(capacity) * kernels::kKvPage;
  const double bytes_per_position =
      static_cast<double>(session->GetCounters().kv_bytes) / static_cast<double>(positions);
  std::vector<measure::Variant> variants;
  variants.reserve(lengths.size() + 1);
  for (const int64_t length : lengths) {
    variants.emplace_back([&, length]() -> Result<double> {
      session->AssumeContext(length);
      const uint64_t start = NowNs();
      for (int64_t i = 0; i < request.tokens; ++i) HW_TRY_VOID(session->Decode());
      return Seconds(NowNs() - start) * 1e3 / static_cast<double>(request.tokens);
    });
  }
  // Milliseconds to read what the longest context adds, in the same round.
  const double longest = bytes_per_position * static_cast<double>(lengths.back() - lengths.front());
  variants.emplace_back(
      [&] { return longest / bench.bandwidth->Measure(bench.model->pool.get()) * 1e3; });
  HW_TRY(const auto results, measure::MeasureInTurns(variants, request.rounds, 1));
  for (size_t i = 0; i < lengths.size(); ++i) {
    const auto length = static_cast<double>(lengths[i]);
    const double added = results[i].value.median - results[0].value.median;
    const double reading = results.back().value.median *
                           static_cast<double>(lengths[i] - lengths[0]) /
                           static_cast<double>(std::max<int64_t>(1, lengths.back() - lengths[0]));
    BenchRow row{.name = fmt::format("{} tokens", lengths[i]),
                 .figures = Speed("ms", results[i].value, 3)};
    Add({Unshown("tokens", length), Unshown("kv_bytes", bytes_per_position * length),
         Shown(fmt::format("{:.2f}", bytes_per_position * length * 1e-6)),
         Number("added_ms", added, 3), Unshown("reading_ms", reading),
         Shown(i == 0 ? std::string("-") : fmt::format("{:.2f}", added / reading))},
        &row);
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace headway::lab
