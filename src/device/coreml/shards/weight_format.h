#pragma once

// How the rows of a weight matrix are stored in a package. Formats the Neural Engine is known to
// take: fp16, int8 with a scale per output channel, lookup tables per group of output channels.
// int4 in blocks is here so that the residency gate can be seen rejecting it
// (docs/formats/coreml_package.md, "weights").

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/coreml/ir/builder.h"

namespace headway::mil {

enum class WeightKind : uint8_t {
  kF16,
  kInt8PerChannel,  // constexpr_blockwise_shift_scale, scale [O, 1, 1, 1]
  kLut,             // constexpr_lut_to_dense, lut [O / group_rows, 1, 1, 1, 2^bits, 1]
  kInt4Blockwise,   // constexpr_blockwise_shift_scale, scale [O, I / block_columns, 1, 1]
};

struct WeightFormat {
  WeightKind kind = WeightKind::kInt8PerChannel;
  int lut_bits = 4;  // 1, 2, 3, 4, 6 or 8
  // Rows that share a table; made smaller where it does not divide the rows.
  int64_t group_rows = 32;
  int64_t block_columns = 32;
};

// "fp16", "int8", "lut4", "int4-blockwise"
std::string NameOf(const WeightFormat& format);

// Writes rows [first_row, first_row + out.size() / columns) to `out`, row-major. Called from
// several threads at once.
using RowSource = std::function<Result<void>(int64_t first_row, std::span<float> out)>;

struct WeightReport {
  std::string name;
  int64_t rows = 0, columns = 0;
  uint64_t stored_bytes = 0;
  double relative_rms_error = 0;  // |stored - given| / |given|, Frobenius norms
  double max_abs_error = 0;
};

// What writing weights needs besides the rows.
struct WeightTarget {
  FunctionBuilder& function;
  BlobSink& blobs;
  ThreadPool* pool = nullptr;                    // null: one thread
  std::vector<WeightReport>* reports = nullptr;  // null: not wanted
};

// A matrix to be stored.
struct MatrixToStore {
  std::string name;
  int64_t rows = 0, columns = 0;
};

// Streams a matrix into `target.blobs` in the given format, in pieces of about 16 MB, and adds the
// const or constexpr op that yields it as the convolution weight fp16[rows, columns, 1, 1]. Returns
// the value's name. Errors: those of `source` and of the sink; kInvalidInput (extents the format
// cannot hold).
Result<std::string> EmitWeight(const WeightTarget& target, const MatrixToStore& matrix,
                               const WeightFormat& format, const RowSource& source);

// A vector as an fp16 const of these extents, in a blob. Errors: kUnsupported (a number that becomes
// infinite), those of the sink.
Result<std::string> EmitVector(const WeightTarget& target, const std::string& name,
                               const Dims& dims, std::span<const float> values);
// As [1, n, 1, 1].
Result<std::string> EmitChannelVector(const WeightTarget& target, const std::string& name,
                                      std::span<const float> values);

}  // namespace headway::mil
