// The certified head's kernels at Phi-4-mini's width. Planes are random bytes in a buffer larger
// than the last-level cache, walked from end to end, so that bytes_per_second is to be compared
// with Read in the same run. With two threads each has half of the buffer.
//   plane_bench --benchmark_filter='avx512/screen'

#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernel_inputs.h"
#include "kernels/kernel_set.h"

namespace headway::kernels {
namespace {

constexpr int64_t kChannels = 3072;
constexpr PlaneShape kShape{.channels = kChannels, .directions = 0};
constexpr size_t kPlaneBytes = size_t{192} << 20;

AlignedBuffer& Planes() {
  static AlignedBuffer planes = RandomHalves(kPlaneBytes);
  return planes;
}

// A part of [0, count) for every thread.
struct Share {
  int64_t begin;
  int64_t end;
};
Share ShareOf(const benchmark::State& state, int64_t count) {
  return {count * state.thread_index() / state.threads(),
          count * (state.thread_index() + 1) / state.threads()};
}

void Read(benchmark::State& state) {
  const auto all = Planes().As<uint64_t>(kPlaneBytes / sizeof(uint64_t));
  const Share share = ShareOf(state, static_cast<int64_t>(all.size()));
  const auto words =
      all.subspan(static_cast<size_t>(share.begin), static_cast<size_t>(share.end - share.begin));
  for (auto _ : state) {
    uint64_t sums[8] = {};  // the compiler makes vectors of it
    for (size_t i = 0; i + 8 <= words.size(); i += 8) {
      for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(words.size_bytes()));
}

// Rows streamed by `tokens` hidden states together; `cached`: few enough for the second-level
// cache, so that the kernel's own speed shows.
void Screen(benchmark::State& state, const KernelSet& set, int64_t tokens, bool cached) {
  const int64_t tiles =
      cached ? 2 * state.threads() : static_cast<int64_t>(kPlaneBytes) / SignTileBytes(kShape);
  const Share share = ShareOf(state, tiles);
  const int64_t rows = tiles * kSignTileRows;
  const int64_t blocks = NumRotationBlocks(kChannels);
  const std::vector<BlockTerms> terms(static_cast<size_t>(blocks), {0.01F, 0.5F, 0.1F});
  AlignedBuffer tables(
      static_cast<size_t>(tokens * SignGroupsBefore(kChannels, blocks) * kSignTableEntries));
  AlignedBuffer output(static_cast<size_t>(tokens * rows) * 2 * sizeof(float));
  std::vector<ScreenSummary> summary(static_cast<size_t>(tokens * NumSignStrips(rows)));
  std::vector<ScreenToken> states;
  for (int64_t t = 0; t < tokens; ++t) {
    states.push_back({.tables = tables.Pointer<uint8_t>() +
                                t * SignGroupsBefore(kChannels, blocks) * kSignTableEntries,
                      .blocks = terms.data(),
                      .multiplier = 4.0F,
                      .constant = 0.1F,
                      .estimate = output.Pointer<float>() + 2 * t * rows,
                      .upper = output.Pointer<float>() + (2 * t + 1) * rows,
                      .summary = summary.data() + t * NumSignStrips(rows)});
  }
  for (auto _ : state) {
    set.screen({.tiles = Planes().data(),
                .num_rows = rows,
                .shape = kShape,
                .tile_begin = share.begin,
                .tile_end = share.end,
                .tokens = states.data(),
                .num_tokens = tokens});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * (share.end - share.begin) * SignTileBytes(kShape));
}

// One row in `one_in`, at random: a list ascends, the lists of a run share no row, so that every
// row comes from memory; `one_in` 0: all rows of what the second-level cache holds.
void Refine(benchmark::State& state, const KernelSet& set, int64_t one_in) {
  const int64_t all =
      (static_cast<int64_t>(kPlaneBytes) - kRefineSlack) / RefineRecordBytes(kShape);
  const int64_t rows = one_in == 0 ? 1000 * state.threads() : all;
  one_in = std::max<int64_t>(one_in, 1);
  const Share share = ShareOf(state, rows);
  std::mt19937 random(3);
  std::vector<std::vector<int32_t>> lists(static_cast<size_t>(one_in));
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<int32_t>& list = lists[random() % lists.size()];
    if (row >= share.begin && row < share.end) list.push_back(static_cast<int32_t>(row));
  }
  RefineInputs inputs(kShape, rows);
  int64_t done = 0;
  size_t turn = 0;
  for (auto _ : state) {
    const std::vector<int32_t>& list = lists[turn++ % lists.size()];
    done += static_cast<int64_t>(list.size());
    set.refine(inputs.Args(Planes(), list));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(done);
  state.SetBytesProcessed(done * RefineRecordBytes(kShape));
}

void Rotate(benchmark::State& state, const KernelSet& set) {
  const std::vector<float> x = RandomActivations(kChannels);
  std::vector<float> y(kChannels);
  const auto* matrix = reinterpret_cast<const F16*>(Planes().data());
  // Another place each time: a decode step finds the matrices in memory, not in a cache.
  const int64_t elements = kRotationBlock * kRotationBlock;
  const int64_t places = static_cast<int64_t>(kPlaneBytes) / 2 / elements;
  int64_t place = 0;
  for (auto _ : state) {
    for (int64_t c = 0; c < kChannels; c += kRotationBlock) {
      const Share rows = ShareOf(state, kRotationBlock);
      set.rotate({.matrix = matrix + place * elements,
                  .matrix_stride = kRotationBlock,
                  .n = kRotationBlock,
                  .row_begin = rows.begin,
                  .row_end = rows.end,
                  .x = x.data() + c,
                  .y = y.data() + c});
      place = (place + 1) % places;
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kChannels * kRotationBlock * 2 / state.threads());
}

void Tables(benchmark::State& state, const KernelSet& set) {
  const std::vector<float> x = RandomActivations(kChannels);
  const int64_t groups = SignGroups(kRotationBlock);
  AlignedBuffer tables(static_cast<size_t>(kChannels / kSignGroup * kSignTableEntries));
  uint64_t token = 0;
  for (auto _ : state) {
    double total = 0;
    for (int64_t b = 0; b < NumRotationBlocks(kChannels); ++b) {
      double offset = 0;
      set.build_sign_tables({.x = x.data() + b * kRotationBlock,
                             .n = kRotationBlock,
                             .first_group = b * groups,
                             .group_begin = 0,
                             .group_end = groups,
                             .inverse_step = 10.0F,
                             .noise = {.key = 1, .token = token},
                             .tables = tables.Pointer<uint8_t>(),
                             .offset = &offset});
      total += offset;
    }
    ++token;
    benchmark::DoNotOptimize(total);
  }
}

void Quantise(benchmark::State& state, const KernelSet& set) {
  const std::vector<float> x = RandomActivations(kChannels);
  AlignedBuffer q(static_cast<size_t>(RefineActivationBytes(kChannels)));
  uint64_t token = 0;
  for (auto _ : state) {
    for (int64_t b = 0; b < NumRotationBlocks(kChannels); ++b) {
      int32_t sum = 0;
      set.quantise_for_refinement({.x = x.data() + b * kRotationBlock,
                                   .n = kRotationBlock,
                                   .first_unit = RefineUnitsBefore(kChannels, b),
                                   .inverse_step = 20.0F,
                                   .noise = {.key = 1, .token = token},
                                   .q = q.Pointer<int8_t>(),
                                   .q_sum = &sum});
      benchmark::DoNotOptimize(sum);
    }
    ++token;
  }
}

void Select(benchmark::State& state, const KernelSet& set, bool perturb) {
  const std::vector<float> x = RandomActivations(kChannels);
  std::vector<float> values(200064);
  for (size_t i = 0; i < values.size(); ++i) values[i] = x[i % x.size()];
  std::vector<float> out(values.size());
  std::vector<int32_t> ids(values.size() + 16);
  const auto n = static_cast<int64_t>(values.size());
  for (auto _ : state) {
    int64_t count = 0;
    if (perturb) {
      set.perturb(values.data(), n, 1.0F, 1, 2, 0, out.data());
    } else {
      count = set.at_least(values.data(), n, 2.5F, 0, ids.data());
    }
    benchmark::DoNotOptimize(count);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void Register(const KernelSet& set) {
  const std::string name = std::string(set.name) + "/";
  const auto add = [&](const std::string& what, auto function, auto... arguments) {
    for (const int threads : {1, 2}) {
      benchmark::RegisterBenchmark((name + what).c_str(), function, set, arguments...)
          ->Threads(threads)
          ->UseRealTime();
    }
  };
  for (const int64_t tokens : {1, 2, 3, 4, 8}) {
    add("screen/" + std::to_string(tokens), Screen, tokens, false);
    add("screen_cached/" + std::to_string(tokens), Screen, tokens, true);
  }
  for (const int64_t one_in : {0, 1, 2, 5, 30}) {
    add(one_in == 0 ? "refine_cached" : "refine/" + std::to_string(one_in), Refine, one_in);
  }
  add("rotate", Rotate);
  benchmark::RegisterBenchmark((name + "tables").c_str(), Tables, set);
  benchmark::RegisterBenchmark((name + "quantise").c_str(), Quantise, set);
  benchmark::RegisterBenchmark((name + "perturb").c_str(), Select, set, true);
  benchmark::RegisterBenchmark((name + "at_least").c_str(), Select, set, false);
}

}  // namespace
}  // namespace headway::kernels

int main(int argc, char** argv) {
  namespace kernels = headway::kernels;
  for (const int threads : {1, 2}) {
    benchmark::RegisterBenchmark("Read", kernels::Read)->Threads(threads)->UseRealTime();
  }
  for (const kernels::KernelSet* set : kernels::SupportedSets()) {
    if (set != nullptr && set->name != "reference") {
      kernels::Register(kernels::SelectKernels(set->name)->kernels);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
