#pragma once

// What the benchmark tables share.

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench_tables.h"
#include "engine/session.h"

namespace headway::cli {

// Prints, unless the rows go elsewhere.
template <class... Args>
void Say(const BenchSetting& setting, fmt::format_string<Args...> format, Args&&... args) {
  if (setting.rows_or_null == nullptr) fmt::print(format, std::forward<Args>(args)...);
}

inline void Keep(const BenchSetting& setting, BenchRow row) {
  if (setting.rows_or_null != nullptr) setting.rows_or_null->push_back(std::move(row));
}

// The line above a table: what, which model, which machine code.
void Title(const BenchSetting& setting, const OpenedModel& model, const std::string& what);

// Token ids without meaning, spread over the vocabulary, the same on every run.
std::vector<int32_t> MadeUpIds(int64_t count, int64_t vocab_size);

Result<std::unique_ptr<Session>> NewSession(const BenchSetting& setting, OpenedModel* model,
                                            std::shared_ptr<Pipeline> pipeline, int64_t capacity,
                                            const SamplingParams& sampling = {});

inline double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

}  // namespace headway::cli
