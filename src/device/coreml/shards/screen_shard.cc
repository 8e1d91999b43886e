#include "device/coreml/shards/screen_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "device/coreml/ir/packing.h"
#include "device/coreml/shards/ops.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr int64_t kScreenPieceElements = int64_t{4} << 20;

Result<DType> CodeType(const ScreenShardSpec& spec) {
  const auto entries = static_cast<unsigned>(spec.levels.size());
  const std::optional<DType> found =
      std::has_single_bit(entries) ? DTypeFromName(fmt::format("uint{}", std::countr_zero(entries)))
                                   : std::nullopt;
  const DType dtype = found.value_or(DType::kF16);
  const int bits = Traits(dtype).bits;
  const int64_t rows = spec.vocab_end - spec.vocab_begin;
  int64_t channels = 0;
  bool whole_bytes = true;
  for (const int64_t block : spec.blocks) {
    channels += block;
    whole_bytes = whole_bytes && block > 0 && block * bits % 8 == 0;
  }
  if (found.has_value() && bits <= 8 && whole_bytes && !spec.blocks.empty() &&
      channels == spec.hidden_size && spec.vocab_begin >= 0 && rows > 0 && spec.tokens > 0) {
    return dtype;
  }
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("screen shard: expected 2, 4, 8, 16, 64 or 256 levels and blocks of whole "
                  "bytes that are all channels together, found {} levels, {} blocks with "
                  "{} of {} channels, {} rows",
                  entries, spec.blocks.size(), channels, spec.hidden_size, rows));
}

// Streams the codes of one block, then its table and scales, and adds slice, convolution and mul.
Result<std::string> AddBlock(const ScreenShardSpec& spec, const ScreenSource& source, DType dtype,
                             int64_t index, int64_t begin, const std::string& x, FunctionBuilder* f,
                             BlobSink* blobs) {
  const int64_t block = spec.blocks[static_cast<size_t>(index)];
  const std::string p = fmt::format("b{}_", index);
  const int64_t rows = spec.vocab_end - spec.vocab_begin;
  HW_TRY(const BlobRef codes, blobs->Begin(dtype, rows * block));
  const int64_t piece = std::clamp<int64_t>(kScreenPieceElements / block, 1, rows);
  std::vector<uint8_t> values;
  for (int64_t row = 0; source.codes && row < rows; row += piece) {
    values.resize(static_cast<size_t>(std::min(piece, rows - row) * block));
    HW_TRY_VOID(source.codes(index, spec.vocab_begin + row, values));
    HW_TRY_VOID(blobs->Write(PackBits(dtype, values)));
  }
  HW_TRY_VOID(blobs->End());
  std::vector<float> scales(static_cast<size_t>(rows));
  if (source.scales) HW_TRY_VOID(source.scales(index, scales));
  std::vector<uint16_t> halves(scales.size());
  for (size_t i = 0; i < scales.size(); ++i) {
    halves[i] = ToF16(scales[i]).bits;
    if (!std::isfinite(ToFloat(F16{halves[i]}))) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("screen shard: scale {} of row {} is not finite in fp16", scales[i], i));
    }
  }
  HW_TRY(const BlobRef scale_ref,
         blobs->Append(DType::kF16, rows, std::as_bytes(std::span(halves))));
  const std::vector<double> levels(spec.levels.begin(), spec.levels.end());
  const auto entries = static_cast<int64_t>(levels.size());
  const std::string weight =
      f->Constexpr("constexpr_lut_to_dense", p + "w",
                   {{"indices", {BlobConstant(dtype, {rows, block, 1, 1}, codes)}},
                    {"lut", {NumbersConstant(DType::kF16, {1, 1, 1, 1, entries, 1}, levels)}}});
  const std::string scale =
      f->Const(p + "scale", BlobConstant(DType::kF16, {1, rows, 1, 1}, scale_ref));
  const bool only = block == spec.hidden_size;
  const std::string part = only ? x : ops::Slice(f, p + "x", x, 1, begin, begin + block);
  return ops::Mul(f, only ? std::string("estimate") : p + "estimate",
                  ops::Project(f, p + "sum", part, weight), scale);
}

}  // namespace

Result<Shard> BuildScreenShard(const ScreenShardSpec& spec, const ScreenSource& source,
                               BlobSink* blobs, const ShardOptions& options) {
  HW_TRY(const DType dtype, CodeType(spec));
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input(
      "rotated", DType::kF16, {1, spec.hidden_size, spec.flexible ? kUnknownDim : spec.tokens, 1});
  const auto num_blocks = static_cast<int64_t>(spec.blocks.size());
  std::string total;
  int64_t begin = 0;
  for (int64_t b = 0; b < num_blocks; ++b) {
    HW_TRY(const std::string part, AddBlock(spec, source, dtype, b, begin, x, &f, blobs));
    begin += spec.blocks[static_cast<size_t>(b)];
    const std::string name =
        b + 1 == num_blocks ? std::string("estimate") : fmt::format("b{}_total", b);
    total = total.empty() ? part : ops::Add(&f, name, total, part);
    if (options.progress) options.progress(b + 1, num_blocks);
  }
  f.Output(total);
  HW_TRY(Function function, f.Finish());
  Shard shard;
  HW_TRY(shard.model, MakeModel(std::move(function), {1, spec.tokens}));
  shard.model.metadata.user_defined[kScreenAccumulationKey] = kScreenAccumulation;
  return shard;
}

}  // namespace headway::mil
