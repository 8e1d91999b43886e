// Kernels one by one, over the shapes and types of kernels/cases.h. Weights are random bytes in a
// buffer larger than the last-level cache, walked from end to end, so that bytes_per_second is to
// be compared with Read. One thread.
//   kernel_bench --benchmark_filter='avx512/Q4_K/head'

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernel_inputs.h"
#include "kernels/cases.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

namespace headway::kernels {
namespace {

constexpr size_t kWeightBytes = size_t{192} << 20;

AlignedBuffer& Weights() {
  static AlignedBuffer weights = RandomHalves(kWeightBytes);
  return weights;
}

void Read(benchmark::State& state) {
  const auto words = Weights().As<uint64_t>(kWeightBytes / sizeof(uint64_t));
  for (auto _ : state) {
    uint64_t sums[8] = {};  // the compiler makes vectors of it
    for (size_t i = 0; i < words.size(); i += 8) {
      for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kWeightBytes));
}

// As many rows of the shape's width as the buffer holds, at most the shape's own when there are
// many tokens.
void MatMul(benchmark::State& state, const KernelSet& set, DataType type, MatrixShape shape,
            int64_t tokens) {
  const int64_t channels = shape.channels;
  const int64_t tile_bytes = TileBytes(type, channels);
  int64_t tiles = static_cast<int64_t>(kWeightBytes) / tile_bytes;
  if (tokens > QuantisedRows::kGroup) tiles = std::min<int64_t>(tiles, 16);
  const std::vector<float> x = RandomActivations(tokens * channels);
  std::vector<float> y(static_cast<size_t>(tokens * tiles * kTileRows));
  AlignedBuffer memory(static_cast<size_t>(QuantisedRowsBytes(tokens, channels)));
  const QuantisedRows rows{memory.Pointer<ActivationBlock>(), tokens, channels};
  set.quantise_rows(x.data(), channels, 0, tokens, rows);
  for (auto _ : state) {
    set.matmul[static_cast<size_t>(type)]({.tiles = Weights().data(),
                                           .num_rows = tiles * kTileRows,
                                           .num_channels = channels,
                                           .tile_begin = 0,
                                           .tile_end = tiles,
                                           .num_tokens = tokens,
                                           .xq = rows,
                                           .x = x.data(),
                                           .x_stride = channels,
                                           .y = y.data(),
                                           .y_stride = tiles * kTileRows});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * tiles * tile_bytes);
  state.counters["multiply_adds"] = benchmark::Counter(
      static_cast<double>(state.iterations() * tiles * kTileRows * channels * tokens),
      benchmark::Counter::kIsRate);
}

// With several caches each is read in turn: from memory, if together they are larger than any
// cache.
void Attend(benchmark::State& state, const KernelSet& set, AttentionShape shape, KvType kv,
            int64_t num_caches) {
  const int64_t positions = shape.first_position + shape.num_tokens;
  const int64_t row = shape.num_heads * shape.head_dim;
  const std::vector<float> q = RandomActivations(shape.num_tokens * row);
  const int64_t num_pages = NumKvPages(positions);
  const int64_t cache_bytes = num_pages * KvPageBytes(kv, shape.head_dim);
  AlignedBuffer cache(static_cast<size_t>(num_caches * cache_bytes));
  for (F16& half : cache.As<F16>(cache.SizeBytes() / sizeof(F16))) half = ToF16(0.25F);
  std::vector<float> out(q.size());
  AlignedBuffer scratch(
      static_cast<size_t>(AttentionScratchFloats(shape.num_heads, shape.head_dim, positions)) *
      sizeof(float));
  std::vector<std::byte*> pages;
  for (int64_t page = 0; page < num_caches * num_pages; ++page)
    pages.push_back(cache.data() + page * KvPageBytes(kv, shape.head_dim));
  int64_t turn = 0;
  for (auto _ : state) {
    const KvHead head = {.pages = pages.data() + turn++ % num_caches * num_pages,
                         .tile_bytes = KvTileBytes(kv, shape.head_dim)};
    set.attention[static_cast<size_t>(kv)]({.q = q.data(),
                                            .q_stride = row,
                                            .kv = head,
                                            .num_tokens = shape.num_tokens,
                                            .first_position = shape.first_position,
                                            .num_heads = shape.num_heads,
                                            .head_dim = shape.head_dim,
                                            .window = shape.window,
                                            .scale = 0.1F,
                                            .scratch = scratch.Pointer<float>(),
                                            .out = out.data(),
                                            .out_stride = row});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * cache_bytes);
}

void Select(benchmark::State& state, const KernelSet& set, bool noise) {
  const std::vector<float> logits = RandomActivations(200064);
  for (auto _ : state) {
    const auto n = static_cast<int64_t>(logits.size());
    ArgMax best =
        noise ? set.gumbel_argmax(logits.data(), n, 1.0F, 1, 2, 0) : set.argmax(logits.data(), n);
    benchmark::DoNotOptimize(best);
  }
  state.SetItemsProcessed(state.iterations() * 200064);
}

void RegisterSet(const KernelSet& set) {
  const std::string name(set.name);
  for (const DataType type : kBenchTypes) {
    for (const BenchShape& bench : kBenchShapes) {
      for (const int64_t tokens : {1, 2, 4, 8, 64, 512}) {
        benchmark::RegisterBenchmark((name + "/" + std::string(Traits(type).name) + "/" +
                                      bench.name + "/" + std::to_string(tokens))
                                         .c_str(),
                                     MatMul, set, type, bench.shape, tokens);
      }
    }
  }
  for (const KvType kv : {KvType::kF16, KvType::kQ8_0}) {
    for (const int64_t positions : {128, 4096, 16384}) {
      const AttentionShape shape{3, 128, 1, positions - 1, 0};
      const std::string test = name + "/attention_" + std::string(ToString(kv)) + "/";
      const std::string size = std::to_string(positions);
      benchmark::RegisterBenchmark((test + size).c_str(), Attend, set, shape, kv, 1);
      benchmark::RegisterBenchmark(
          (test + size + "/from_memory").c_str(), Attend, set, shape, kv,
          (int64_t{1} << 28) / (NumKvPages(positions) * KvPageBytes(kv, 128)));
    }
  }
  benchmark::RegisterBenchmark((name + "/argmax").c_str(), Select, set, false);
  benchmark::RegisterBenchmark((name + "/gumbel_argmax").c_str(), Select, set, true);
}

}  // namespace
}  // namespace headway::kernels

int main(int argc, char** argv) {
  namespace kernels = headway::kernels;
  benchmark::RegisterBenchmark("Read", kernels::Read);
  for (const kernels::KernelSet* set : kernels::SupportedSets()) {
    if (set != nullptr && set->name != "reference") {
      kernels::RegisterSet(kernels::SelectKernels(set->name)->kernels);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
