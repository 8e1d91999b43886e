// Calls one kernel a number of times and ends: for tools that count what a program executes
// (tools/arm64/count_instructions.py). The counts of two numbers of calls differ by those of the
// kernel alone.
//
//   kernel_calls SET KERNEL TOKENS CALLS      KERNEL: a weight type, "screen", "refine"
//
// Prints the multiply-adds of one call. A screen's are the signs it looks up, a refinement's the
// bits it multiplies.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernel_inputs.h"
#include "kernels/cases.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

namespace headway::kernels {
namespace {

constexpr int64_t kChannels = 3072;  // Phi-4-mini's
constexpr int64_t kRows = 256;       // of products; of refinement
constexpr int64_t kScreenRows = kSignTileRows;
constexpr PlaneShape kShape{.channels = kChannels, .directions = 0};

// With room behind them for a kernel that reads ahead.
AlignedBuffer HalvesWithRoom(int64_t size_bytes) {
  return RandomHalves(static_cast<size_t>(size_bytes + 64));
}

// Multiply-adds of a call; the call itself, `calls` times.
int64_t Product(const KernelSet& set, DataType type, int64_t tokens, int64_t calls) {
  const AlignedBuffer tiles = HalvesWithRoom(NumTiles(kRows) * TileBytes(type, kChannels));
  const std::vector<float> x = RandomActivations(tokens * kChannels);
  AlignedBuffer memory(static_cast<size_t>(QuantisedRowsBytes(tokens, kChannels)));
  const QuantisedRows rows{memory.Pointer<ActivationBlock>(), tokens, kChannels};
  set.quantise_rows(x.data(), kChannels, 0, tokens, rows);
  std::vector<float> y(static_cast<size_t>(tokens * kRows));
  for (int64_t i = 0; i < calls; ++i) {
    set.matmul[static_cast<size_t>(type)]({.tiles = tiles.data(),
                                           .num_rows = kRows,
                                           .num_channels = kChannels,
                                           .tile_begin = 0,
                                           .tile_end = NumTiles(kRows),
                                           .num_tokens = tokens,
                                           .xq = rows,
                                           .x = x.data(),
                                           .x_stride = kChannels,
                                           .y = y.data(),
                                           .y_stride = kRows});
  }
  return tokens * kRows * kChannels;
}

int64_t Screen(const KernelSet& set, int64_t tokens, int64_t calls) {
  const AlignedBuffer planes = HalvesWithRoom(SignTileBytes(kShape));
  const int64_t blocks = NumRotationBlocks(kChannels);
  const std::vector<BlockTerms> terms(static_cast<size_t>(blocks), {0.01F, 0.5F, 0.1F});
  const int64_t table_bytes = SignGroupsBefore(kChannels, blocks) * kSignTableEntries;
  AlignedBuffer tables(static_cast<size_t>(tokens * table_bytes));
  std::vector<float> output(static_cast<size_t>(2 * tokens * kScreenRows));
  std::vector<ScreenSummary> summary(static_cast<size_t>(tokens * NumSignStrips(kScreenRows)));
  std::vector<ScreenToken> states;
  for (int64_t t = 0; t < tokens; ++t) {
    states.push_back({.tables = tables.Pointer<uint8_t>() + t * table_bytes,
                      .blocks = terms.data(),
                      .multiplier = 4.0F,
                      .constant = 0.1F,
                      .estimate = output.data() + 2 * t * kScreenRows,
                      .upper = output.data() + (2 * t + 1) * kScreenRows,
                      .summary = summary.data() + t * NumSignStrips(kScreenRows)});
  }
  for (int64_t i = 0; i < calls; ++i) {
    set.screen({.tiles = planes.data(),
                .num_rows = kScreenRows,
                .shape = kShape,
                .tile_begin = 0,
                .tile_end = 1,
                .tokens = states.data(),
                .num_tokens = tokens});
  }
  return tokens * kScreenRows * kChannels;
}

int64_t Refine(const KernelSet& set, int64_t calls) {
  const AlignedBuffer records = HalvesWithRoom(kRows * RefineRecordBytes(kShape));
  std::vector<int32_t> list;
  for (int32_t row = 0; row < kRows; ++row) list.push_back(row);
  RefineInputs inputs(kShape, kRows);
  for (int64_t i = 0; i < calls; ++i) set.refine(inputs.Args(records, list));
  return kRows * kChannels;
}

// -1 for a kernel that there is not.
int64_t Call(const KernelSet& set, std::string_view kernel, int64_t tokens, int64_t calls) {
  if (kernel == "screen") return Screen(set, tokens, calls);
  if (kernel == "refine") return Refine(set, calls);
  for (const DataType type : kWeightTypes)
    if (Traits(type).name == kernel) return Product(set, type, tokens, calls);
  return -1;
}

}  // namespace
}  // namespace headway::kernels

int main(int argc, char** argv) {
  namespace kernels = headway::kernels;
  const auto selected = kernels::SelectKernels(argc > 1 ? argv[1] : "?");
  const int64_t tokens = argc == 5 ? std::atoll(argv[3]) : 0;
  const int64_t calls = argc == 5 ? std::atoll(argv[4]) : 0;
  if (!selected || tokens < 1 || tokens > kernels::kMaxScreenTokens || calls < 0) {
    std::fprintf(stderr, "usage: kernel_calls SET KERNEL TOKENS CALLS (tokens: 1 to 8)%s%s\n",
                 selected ? "" : "; ", selected ? "" : selected.error().message.c_str());
    return 2;
  }
  const int64_t work = kernels::Call(selected->kernels, argv[2], tokens, calls);
  if (work < 0) {
    std::fprintf(stderr, "kernel_calls: no kernel is called that\n");
    return 2;
  }
  std::printf("%lld\n", static_cast<long long>(work));
  return 0;
}
