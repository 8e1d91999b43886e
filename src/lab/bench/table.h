#pragma once

// What the benchmarks are made of. Inside this folder only.

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/session.h"
#include "lab/bench/bench.h"
#include "lab/measure/bandwidth.h"
#include "lab/measure/turns.h"

namespace headway::lab {

struct Bench {
  const BenchRequest& request;
  OpenedModel* model;
  measure::ReadBandwidth* bandwidth;  // null where a table has no use for it
};

// Without rows. The title names the model and its machine code.
BenchTable NewTable(const Bench& bench, const char* name, const std::string& what,
                    std::vector<std::string> columns);

// Token ids without meaning, spread over the vocabulary, the same on every run.
std::vector<int32_t> MadeUpIds(const Bench& bench, int64_t count);

// A session for up to `capacity` tokens that has seen request.context made-up ones.
Result<std::unique_ptr<Session>> NewSession(const Bench& bench, std::shared_ptr<Executor> executor,
                                            int64_t capacity, const SamplingParams& sampling = {});
// The same on the model's own executor, after made-up tokens.
Result<std::unique_ptr<Session>> NewContext(const Bench& bench, int64_t capacity);

inline double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

inline BenchFigure Number(const char* name, double value, int digits) {
  return {.name = name, .value = value, .shown = fmt::format("{:.{}f}", value, digits)};
}
inline BenchFigure Unshown(const char* name, double value) {
  return {.name = name, .value = value, .shown = ""};
}
inline BenchFigure Shown(std::string text) {
  return {.name = "", .value = std::nullopt, .shown = std::move(text)};
}
inline BenchFigure LogitsHash(Session* session) {
  return {.name = "logits_hash",
          .value = std::nullopt,
          .shown = fmt::format("{:016x}", session->LastLogitsHash())};
}

// The median under `name`, and "min - max".
inline std::vector<BenchFigure> Speed(const char* name, const measure::Spread& speed, int digits) {
  return {Number(name, speed.median, digits), Unshown("min", speed.min), Unshown("max", speed.max),
          Shown(fmt::format("{:.{}f} - {:.{}f}", speed.min, digits, speed.max, digits))};
}
// The median under `name`, and the interval that holds it with 95 %.
inline std::vector<BenchFigure> Ratio(const std::string& name, double median, double low,
                                      double high, int digits) {
  return {{.name = name, .value = median, .shown = fmt::format("{:.{}f}", median, digits)},
          {.name = name + "_low", .value = low, .shown = ""},
          {.name = name + "_high", .value = high, .shown = ""},
          Shown(fmt::format("{:.{}f} - {:.{}f}", low, digits, high, digits))};
}
inline std::vector<BenchFigure> Ratio(const std::string& name, const measure::Spread& ratio) {
  return Ratio(name, ratio.median, ratio.low, ratio.high, 3);
}
inline void Add(std::vector<BenchFigure> more, BenchRow* row) {
  for (BenchFigure& figure : more) row->figures.push_back(std::move(figure));
}

// Each is one table. Read bandwidth with 1 to request.threads threads.
Result<BenchTable> BenchMemory(const Bench& bench);
// Decode steps: whole, layers, head.
Result<BenchTable> BenchChain(const Bench& bench);
// Prompt processing at 128 and 512 tokens.
Result<BenchTable> BenchPrefill(const Bench& bench);
// A step of 1, 2, 4, 8 tokens, layers and head.
Result<BenchTable> BenchBatch(const Bench& bench);
// A decode step after 128 to 16,384 tokens, against the bytes of their keys and values.
Result<BenchTable> BenchContext(const Bench& bench);
// Steps of 1, 2, 4, 8 tokens with drafts that are right at 70 %, against plain decoding; or prompt
// lookup. Fails when a token differs.
Result<BenchTable> BenchDrafts(const Bench& bench);
Result<BenchTable> BenchLookup(const Bench& bench);
// Every head of the package in turns.
Result<BenchTable> BenchHeads(const Bench& bench);
// The certified head against the full head. Fails when a token differs.
Result<BenchTable> BenchCertifiedHead(const Bench& bench);
// Selection over the whole vocabulary: greedy against sampling.
Result<BenchTable> BenchSampling(const Bench& bench);

}  // namespace headway::lab
