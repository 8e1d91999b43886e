#include "device/coreml/shards/weight_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "device/coreml/ir/packing.h"
#include "device/coreml/shards/row_encoders.h"
#include "device/coreml/shards/table_fit.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr int64_t kPieceElements = int64_t{4} << 20;  // 16 MB of binary32 rows at a time

// Squared sums over all elements, kept per unit of work and added in order, so that reports do not
// depend on threads.
struct ErrorSums {
  double error = 0, given = 0, largest = 0;

  void Count(float given_value, float stored) {
    const double difference = static_cast<double>(stored) - static_cast<double>(given_value);
    error += difference * difference;
    given += static_cast<double>(given_value) * static_cast<double>(given_value);
    largest = std::max(largest, std::abs(difference));
  }
  void Add(const ErrorSums& other) {
    error += other.error;
    given += other.given;
    largest = std::max(largest, other.largest);
  }
};

// Encodes whole units (one row, or the rows of one table) of a matrix.
class Encoder {
 public:
  Encoder(const WeightFormat& format, int64_t rows, int64_t columns)
      : format_(format), columns_(columns), unit_rows_(1) {
    if (format.kind == WeightKind::kLut)
      unit_rows_ = std::gcd(rows, std::max<int64_t>(1, format.group_rows));
    const int64_t units = rows / unit_rows_;
    if (format.kind == WeightKind::kF16) {
      scales_per_unit_ = 0;
    } else if (format.kind == WeightKind::kLut) {
      scales_per_unit_ = int64_t{1} << format.lut_bits;
    } else {
      scales_per_unit_ =
          format.kind == WeightKind::kInt8PerChannel ? 1 : columns / format.block_columns;
    }
    scales_.resize(static_cast<size_t>(units * scales_per_unit_));
  }

  int64_t UnitRows() const { return unit_rows_; }
  DType StoredType() const {
    switch (format_.kind) {
      case WeightKind::kF16:
        return DType::kF16;
      case WeightKind::kInt8PerChannel:
        return DType::kI8;
      case WeightKind::kInt4Blockwise:
        return DType::kI4;
      case WeightKind::kLut:
        break;
    }
    return *DTypeFromName(fmt::format("uint{}", format_.lut_bits));
  }
  // fp16 values: scales or tables, unit by unit.
  const std::vector<uint16_t>& Scales() const { return scales_; }

  // Packed bytes of one unit; the unit is a whole number of bytes.
  std::vector<std::byte> Encode(int64_t unit, std::span<const float> values, ErrorSums* sums) {
    switch (format_.kind) {
      case WeightKind::kF16:
        return EncodeHalf(values, sums);
      case WeightKind::kInt8PerChannel:
        return EncodeBlocks(unit, values, 127, columns_, sums);
      case WeightKind::kInt4Blockwise:
        return EncodeBlocks(unit, values, 7, format_.block_columns, sums);
      case WeightKind::kLut:
        break;
    }
    return EncodeLut(unit, values, sums);
  }

 private:
  void SetScale(int64_t unit, int64_t index, float value) {
    scales_[static_cast<size_t>(unit * scales_per_unit_ + index)] = ToF16(value).bits;
  }

  static std::vector<std::byte> EncodeHalf(std::span<const float> values, ErrorSums* sums) {
    std::vector<std::byte> bytes(values.size() * sizeof(F16));
    for (size_t i = 0; i < values.size(); ++i) {
      const F16 half = ToF16(values[i]);
      std::memcpy(bytes.data() + i * sizeof(F16), &half, sizeof half);
      sums->Count(values[i], ToFloat(half));
    }
    return bytes;
  }

  std::vector<std::byte> EncodeBlocks(int64_t unit, std::span<const float> values, int levels,
                                      int64_t block, ErrorSums* sums) {
    std::vector<uint8_t> codes(values.size());
    const auto width = static_cast<size_t>(block);
    for (size_t at = 0; at < values.size(); at += width) {
      const std::span<const float> piece = values.subspan(at, width);
      const float scale = RowScale(piece, levels);
      QuantiseRow(piece, scale, levels, std::span(codes).subspan(at, width));
      SetScale(unit, static_cast<int64_t>(at / width), scale);
      for (size_t i = 0; i < width; ++i) {
        // Stored weights are fp16 products, as the device decompresses them.
        const float product = static_cast<float>(static_cast<int8_t>(codes[at + i])) * scale;
        sums->Count(piece[i], ToFloat(ToF16(product)));
      }
    }
    return PackBits(StoredType(), codes);
  }

  std::vector<std::byte> EncodeLut(int64_t unit, std::span<const float> values, ErrorSums* sums) {
    const std::vector<float> table = FitTable(values, format_.lut_bits);
    std::vector<uint8_t> codes(values.size());
    LookUpCodes(values, table, codes);
    for (size_t i = 0; i < table.size(); ++i) SetScale(unit, static_cast<int64_t>(i), table[i]);
    for (size_t i = 0; i < values.size(); ++i) sums->Count(values[i], table[codes[i]]);
    return PackBits(StoredType(), codes);
  }

  WeightFormat format_;
  int64_t columns_;
  int64_t unit_rows_;
  int64_t scales_per_unit_ = 0;
  std::vector<uint16_t> scales_;
};

Result<void> CheckExtents(const std::string& name, int64_t rows, int64_t columns,
                          const WeightFormat& format, const Encoder& encoder) {
  const int64_t unit_bits = encoder.UnitRows() * columns * Traits(encoder.StoredType()).bits;
  const bool blocks = format.kind != WeightKind::kInt4Blockwise ||
                      (format.block_columns > 0 && columns % format.block_columns == 0);
  if (rows > 0 && columns > 0 && unit_bits % 8 == 0 && blocks) return {};
  return Fail(ErrorCode::kInvalidInput, fmt::format("weight '{}': format {} cannot hold [{}, {}]",
                                                    name, NameOf(format), rows, columns));
}

// Reads, encodes and writes all units; pieces of about kPieceElements are in memory at a time.
Result<ErrorSums> Stream(const WeightTarget& target, int64_t rows, int64_t columns,
                         const RowSource& source, Encoder* encoder) {
  const int64_t unit_elements = encoder->UnitRows() * columns;
  const int64_t units = rows / encoder->UnitRows();
  const int64_t piece = std::clamp<int64_t>(kPieceElements / unit_elements, 1, units);
  std::vector<std::vector<std::byte>> bytes(static_cast<size_t>(piece));
  std::vector<ErrorSums> unit_sums(static_cast<size_t>(piece));
  ErrorSums sums;
  for (int64_t first = 0; first < units; first += piece) {
    const int64_t count = std::min(piece, units - first);
    std::mutex mutex;
    Result<void> failed;
    ChunkQueue queue;
    const auto work = [&](int) {
      std::vector<float> values(static_cast<size_t>(unit_elements));
      int64_t begin = 0;
      int64_t end = 0;
      while (queue.Take(count, 1, &begin, &end)) {
        const auto at = static_cast<size_t>(begin);
        if (Result<void> read = source((first + begin) * encoder->UnitRows(), values); !read) {
          const std::lock_guard lock(mutex);
          failed = std::move(read);
          return;
        }
        unit_sums[at] = {};
        bytes[at] = encoder->Encode(first + begin, values, &unit_sums[at]);
      }
    };
    if (target.pool != nullptr) {
      target.pool->Run(work);
    } else {
      work(0);
    }
    if (!failed) return tl::unexpected<Error>(failed.error());
    for (int64_t u = 0; u < count; ++u) {
      HW_TRY_VOID(target.blobs.Write(bytes[static_cast<size_t>(u)]));
      sums.Add(unit_sums[static_cast<size_t>(u)]);
    }
  }
  return sums;
}

// The op that yields the weight from the stored blob and the scales or tables.
Result<std::string> AddWeightOp(const WeightTarget& target, const std::string& name,
                                const Dims& dims, const WeightFormat& format,
                                const Encoder& encoder, const BlobRef& codes) {
  const Constant stored = BlobConstant(encoder.StoredType(), dims, codes);
  if (format.kind == WeightKind::kF16) return target.function.Const(name, stored);
  Dims scale_dims = {dims[0], 1, 1, 1};
  if (format.kind == WeightKind::kInt4Blockwise) scale_dims[1] = dims[1] / format.block_columns;
  if (format.kind == WeightKind::kLut) {
    scale_dims = {dims[0] / encoder.UnitRows(), 1, 1, 1, int64_t{1} << format.lut_bits, 1};
  }
  HW_TRY(const BlobRef scales,
         target.blobs.Append(DType::kF16, static_cast<int64_t>(encoder.Scales().size()),
                             std::as_bytes(std::span(encoder.Scales()))));
  const Constant scale = BlobConstant(DType::kF16, scale_dims, scales);
  if (format.kind == WeightKind::kLut) {
    return target.function.Constexpr("constexpr_lut_to_dense", name,
                                     {{"indices", {stored}}, {"lut", {scale}}});
  }
  return target.function.Constexpr("constexpr_blockwise_shift_scale", name,
                                   {{"data", {stored}}, {"scale", {scale}}});
}

}  // namespace

std::string NameOf(const WeightFormat& format) {
  switch (format.kind) {
    case WeightKind::kF16:
      return "fp16";
    case WeightKind::kInt8PerChannel:
      return "int8";
    case WeightKind::kInt4Blockwise:
      return "int4-blockwise";
    case WeightKind::kLut:
      break;
  }
  return fmt::format("lut{}", format.lut_bits);
}

Result<std::string> EmitWeight(const WeightTarget& target, const MatrixToStore& matrix,
                               const WeightFormat& format, const RowSource& source) {
  const auto& [name, rows, columns] = matrix;
  Encoder encoder(format, rows, columns);
  HW_TRY_VOID(CheckExtents(name, rows, columns, format, encoder));
  HW_TRY(const BlobRef codes, target.blobs.Begin(encoder.StoredType(), rows * columns));
  auto sums =
      source ? Stream(target, rows, columns, source, &encoder) : Result<ErrorSums>(ErrorSums());
  if (!sums) return Prefixed(std::move(sums).error(), fmt::format("weight '{}'", name));
  HW_TRY_VOID(target.blobs.End());
  if (target.reports != nullptr) {
    const auto stored = static_cast<uint64_t>(PackedBytes(encoder.StoredType(), rows * columns));
    target.reports->push_back(
        {.name = name,
         .rows = rows,
         .columns = columns,
         .stored_bytes = stored + encoder.Scales().size() * sizeof(uint16_t),
         .relative_rms_error = sums->given > 0 ? std::sqrt(sums->error / sums->given) : 0.0,
         .max_abs_error = sums->largest});
  }
  return AddWeightOp(target, name, {rows, columns, 1, 1}, format, encoder, codes);
}

Result<std::string> EmitVector(const WeightTarget& target, const std::string& name,
                               const Dims& dims, std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value) || std::isfinite(ToFloat(ToF16(value)))) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("vector '{}': expected values that 16-bit floats hold, found {}", name, value));
  }
  std::vector<uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(),
                 [](float v) { return ToF16(v).bits; });
  const auto count = static_cast<int64_t>(values.size());
  HW_TRY(BlobRef ref, target.blobs.Append(DType::kF16, count, std::as_bytes(std::span(halves))));
  return target.function.Const(name, BlobConstant(DType::kF16, dims, std::move(ref)));
}

Result<std::string> EmitChannelVector(const WeightTarget& target, const std::string& name,
                                      std::span<const float> values) {
  return EmitVector(target, name, {1, static_cast<int64_t>(values.size()), 1, 1}, values);
}

}  // namespace headway::mil
