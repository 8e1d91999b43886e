#pragma once

// The screening half of a certified head as an ML Program: low-bit codes of the rotated rows as
// lookup-table convolutions, one per rotation block, scaled after, summed. The host rotates the
// hidden state, prunes by the estimates and their radii, and evaluates the rows left exactly (docs:
// the certified head). Sound only if the accelerator sums as the certificate assumes; that
// assumption is written into the model's metadata.
//
//   estimate[v] = sum over blocks b of
//                   scale[b][v] * sum over j of levels[code[b][v][j]] * rotated[begin of b + j]
//
// Input: rotated [1, D, T, 1]. Output: estimate [1, V, T, 1]. With B blocks: B slices
// (none for one block), B convolutions, B muls and B - 1 adds.

#include <functional>
#include <span>
#include <vector>

#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {

struct ScreenShardSpec {
  int64_t hidden_size = 0;
  std::vector<int64_t> blocks;  // channels of each rotation block; hidden_size together
  int64_t vocab_begin = 0, vocab_end = 0;
  int64_t tokens = 1;
  bool flexible = false;
  // 2^bits values, ascending: functions of constants only, never of the rows (condition of the
  // certificate).
  std::vector<float> levels;
};

// Both null: weights that are written already.
struct ScreenSource {
  // Codes of rows [first_row, ...) in block `block_index`, row-major, out.size() / its channels of
  // them.
  std::function<Result<void>(int64_t block_index, int64_t first_row, std::span<uint8_t> out)> codes;
  // scale[v] of block `block_index` for all rows of the shard, row vocab_begin first.
  std::function<Result<void>(int64_t block_index, std::span<float> out)> scales;
};

// What the estimates' rounding must be for the certificate to hold; key and value in the model's
// metadata.
inline constexpr const char* kScreenAccumulationKey = "headway.screen.accumulation";
inline constexpr const char* kScreenAccumulation =
    "products of a block summed in binary32 or wider and rounded once to the nearest fp16; scaled "
    "and added in fp16";

// Errors: kInvalidInput (levels that are not 2, 4, 8, 16, 64 or 256; blocks that are not all
// channels, or not whole bytes; scales above fp16), and those of the source and the sink.
Result<Shard> BuildScreenShard(const ScreenShardSpec& spec, const ScreenSource& source,
                               BlobSink* blobs, const ShardOptions& options = {});

}  // namespace headway::mil
