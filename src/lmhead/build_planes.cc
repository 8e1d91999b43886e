#include "lmhead/build_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/certificate.h"
#include "lmhead/kernel_magnitude.h"
#include "lmhead/planes.h"
#include "lmhead/rotate_rows.h"
#include "lmhead/rotation.h"
#include "lmhead/row_code.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

// Rows that are encoded together: a strip of a sign tile.
constexpr int64_t kBatchRows = kernels::kSignStripRows;

// Stored scales lie below 2^14 of the largest row's norm: at most half of F16's range.
constexpr int kScaleBits = 14;

struct Norms {
  double largest_row = 0.0;
  double largest_block = 0.0;  // or what the kernel adds up in a block
  bool finite = true;
};

// One thread's memory and its share of the work.
class BatchEncoder {
 public:
  BatchEncoder(const ConstTensorView& rows, const std::vector<RotationPanels>& panels)
      : rows_(rows),
        panels_(panels),
        num_channels_(rows.shape.Columns()),
        num_blocks_(kernels::NumRotationBlocks(num_channels_)),
        magnitude_(rows.type, num_channels_),
        values_(static_cast<size_t>(kBatchRows * num_channels_)),
        magnitudes_(static_cast<size_t>(kBatchRows * num_blocks_)) {
    size_t widest = 0;
    for (const RotationPanels& panel : panels)
      widest = std::max(widest, static_cast<size_t>(panel.PaddedSize()));
    block_.resize(static_cast<size_t>(kBatchRows) * widest);
    rotated_.resize(block_.size());
    signs_.resize(widest);
    codes_.resize(widest);
  }

  void AddNorms(int64_t row, Norms* norms) {
    ReadRow(row, 0);
    double squares = 0.0;
    for (int64_t c = 0; c < num_channels_; ++c) {
      const double value = values_[static_cast<size_t>(c)];
      squares += value * value;
    }
    norms->finite = norms->finite && std::isfinite(squares);
    norms->largest_row = std::max(norms->largest_row, std::sqrt(squares));
    for (int64_t b = 0; b < num_blocks_; ++b) {
      norms->largest_block = std::max(norms->largest_block, Magnitude(0, b));
    }
  }

  struct Target {
    int exponent;
    double slack;
    std::byte* signs;    // all tiles
    std::byte* records;  // all records
  };

  void Encode(int64_t batch, const Target& target) {
    const int64_t first = batch * kBatchRows;
    const int64_t num_rows = std::min(kBatchRows, rows_.shape[0] - first);
    for (int64_t r = 0; r < num_rows; ++r) ReadRow(first + r, r);
    std::fill(gammas_.begin(), gammas_.end(), Gammas{});
    for (int64_t b = 0; b < num_blocks_; ++b) EncodeBlocks(first, b, num_rows, target);
    const double certain = CertainFactor(num_channels_);
    for (int64_t r = 0; r < num_rows; ++r) {
      const Gammas& g = gammas_[static_cast<size_t>(r)];
      PutTerms(first + r, num_blocks_, RoundUpToF16(g.sign + certain * g.sign_excess),
               RoundUpToF16(g.refine + certain * g.refine_excess), target);
    }
  }

 private:
  struct Gammas {
    double sign = 0.0, sign_excess = 0.0, refine = 0.0, refine_excess = 0.0;
  };

  static void PutHalf(std::byte* halves, int64_t index, F16 value) {
    std::memcpy(halves + 2 * index, &value, sizeof value);
  }
  std::byte* Record(const Target& target, int64_t row) const {
    return target.records + row * kernels::RefineRecordBytes(num_channels_);
  }
  std::byte* SignTile(const Target& target, int64_t row) const {
    return target.signs + row / kernels::kSignTileRows * kernels::SignTileBytes(num_channels_);
  }
  // Scale of block b, or gamma (b = number of blocks), of both planes.
  void PutTerms(int64_t row, int64_t b, F16 sign, F16 refine, const Target& target) const {
    PutHalf(SignTile(target, row) +
                kernels::SignScaleOffset(num_channels_, b, row % kernels::kSignTileRows),
            0, sign);
    PutHalf(Record(target, row) + kernels::RefineCodesBytes(num_channels_), b, refine);
  }
  double& Magnitude(int64_t r, int64_t b) {
    return magnitudes_[static_cast<size_t>(r * num_blocks_ + b)];
  }

  // Row `row` of the matrix into place r of the tile.
  void ReadRow(int64_t row, int64_t r) {
    float* out = &values_[static_cast<size_t>(r * num_channels_)];
    DequantiseRow(rows_.type, rows_.Row(row), num_channels_, out);
    magnitude_.SetRow(rows_.Row(row), {out, static_cast<size_t>(num_channels_)});
    for (int64_t b = 0; b < num_blocks_; ++b) {
      const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
      Magnitude(r, b) = magnitude_.Norm(block.begin, block.size);
    }
  }

  void EncodeBlocks(int64_t first, int64_t b, int64_t num_rows, const Target& target) {
    const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
    const RotationPanels& panels = panels_[static_cast<size_t>(b)];
    for (int64_t r = 0; r < num_rows; ++r) {
      const float* from = &values_[static_cast<size_t>(r * num_channels_ + block.begin)];
      std::copy_n(from, block.size, &block_[static_cast<size_t>(r * block.size)]);
    }
    panels.Rotate(block_.data(), num_rows, rotated_.data());
    for (int64_t r = 0; r < num_rows; ++r) {
      const BlockCode code =
          EncodeBlock({.rotated = &rotated_[static_cast<size_t>(r * panels.PaddedSize())],
                       .n = block.size,
                       .exponent = target.exponent,
                       .magnitude = Magnitude(r, b),
                       .slack = target.slack},
                      signs_.data(), codes_.data());
      Gammas& g = gammas_[static_cast<size_t>(r)];
      g.sign = std::max(g.sign, code.sign_gamma);
      g.sign_excess = std::max(g.sign_excess, code.sign_excess);
      g.refine = std::max(g.refine, code.refine_gamma);
      g.refine_excess = std::max(g.refine_excess, code.refine_excess);
      Store(first + r, b, code.scale, target);
    }
  }

  void Store(int64_t row, int64_t b, F16 scale, const Target& target) {
    const int64_t size = kernels::RotationBlockOf(num_channels_, b).size;
    PutTerms(row, b, scale, scale, target);
    for (int64_t c = 0; c < size; c += kernels::kSignGroup) {
      uint32_t index = 0;
      for (int64_t k = 0; k < kernels::kSignGroup && c + k < size; ++k) {
        index |= static_cast<uint32_t>(signs_[static_cast<size_t>(c + k)]) << k;
      }
      kernels::SetSignIndex(SignTile(target, row), num_channels_, b, c / kernels::kSignGroup,
                            row % kernels::kSignTileRows, index);
    }
    const int64_t first_unit = kernels::RefineUnitsBefore(num_channels_, b);
    for (int64_t c = 0; c < size; ++c) {
      kernels::SetRefineCode(Record(target, row), first_unit, c, codes_[static_cast<size_t>(c)]);
    }
  }

  const ConstTensorView& rows_;
  const std::vector<RotationPanels>& panels_;
  const int64_t num_channels_;
  const int64_t num_blocks_;
  KernelMagnitude magnitude_;
  std::vector<float> values_;       // [64, D]
  std::vector<double> magnitudes_;  // [64, blocks]
  std::vector<double> block_;       // one block of 64 rows
  std::vector<double> rotated_;
  std::vector<uint8_t> signs_;
  std::vector<uint8_t> codes_;
  std::array<Gammas, static_cast<size_t>(kBatchRows)> gammas_;
};

bool Cancelled(const BuildOptions& options) {
  return options.cancelled_or_null != nullptr &&
         options.cancelled_or_null->load(std::memory_order_relaxed);
}

class Builder {
 public:
  Builder(const ConstTensorView& rows, const BuildOptions& options, ThreadPool* pool)
      : rows_(rows), options_(options), pool_(pool) {}

  Result<AlignedBuffer> Build() {
    const int64_t D = rows_.shape.Columns();
    if (!PlanesCanServe(D)) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("certified head: expected 8 to {} channels, found {}",
                              kernels::kMaxRotationBlocks * kernels::kRotationBlock, D));
    }
    if (options_.rows_digest.size() != sizeof(PlanesHeader::rows_digest)) {
      return Fail(ErrorCode::kInvalidInput, "certified head: expected a digest of 32 digits");
    }
    DrawRotations();
    for (int i = 0; i < pool_->NumThreads(); ++i) encoders_.emplace_back(rows_, panels_);
    const Norms norms = MeasureNorms();
    if (!norms.finite) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("certified head: expected finite weights in {}, found NaN or infinity",
                      rows_.name));
    }
    const PlanesPlaces places = PlanesPlacesOf(rows_.shape[0], D);
    AlignedBuffer bytes(static_cast<size_t>(places.end));
    WriteHeader(norms, places, &bytes);
    EncodeRows(norms, places, &bytes);
    if (Cancelled(options_)) return Fail(ErrorCode::kCancelled, "interrupted");
    return bytes;
  }

 private:
  void DrawRotations() {
    const int64_t D = rows_.shape.Columns();
    rotations_.resize(static_cast<size_t>(kernels::NumRotationBlocks(D)));
    ChunkQueue queue;
    pool_->Run([&](int) {
      int64_t b = 0;
      int64_t end = 0;
      while (queue.Take(static_cast<int64_t>(rotations_.size()), 1, &b, &end)) {
        RandomBits bits(options_.seed, static_cast<uint64_t>(b));
        rotations_[static_cast<size_t>(b)] =
            DrawRotation(kernels::RotationBlockOf(D, b).size, &bits);
      }
    });
    for (const Rotation& rotation : rotations_) panels_.emplace_back(rotation.exact, rotation.n);
  }

  Norms MeasureNorms() {
    std::vector<Norms> mine(encoders_.size());
    ChunkQueue queue;
    pool_->Run([&](int thread) {
      const auto t = static_cast<size_t>(thread);
      int64_t row = 0;
      int64_t end = 0;
      while (queue.Take(rows_.shape[0], 256, &row, &end)) {
        for (; row < end; ++row) encoders_[t].AddNorms(row, &mine[t]);
      }
    });
    Norms all;
    for (const Norms& norms : mine) {
      all.finite = all.finite && norms.finite;
      all.largest_row = std::max(all.largest_row, norms.largest_row);
      all.largest_block = std::max(all.largest_block, norms.largest_block);
    }
    return all;
  }

  int Exponent(const Norms& norms) const {
    return norms.largest_block > 0.0 ? kScaleBits - std::ilogb(norms.largest_block) - 1 : 0;
  }
  double Slack() const { return FullHeadSlack(IsQuantised(rows_.type), rows_.shape.Columns()); }

  void WriteHeader(const Norms& norms, const PlanesPlaces& places, AlignedBuffer* bytes) {
    PlanesHeader header{};
    std::memcpy(header.magic, kPlanesMagic, sizeof header.magic);
    header.num_rows = rows_.shape[0];
    header.num_channels = rows_.shape.Columns();
    header.scale_exponent = Exponent(norms);
    header.full_head_slack = Slack();
    header.largest_row_norm = norms.largest_row;
    std::memcpy(header.rows_digest, options_.rows_digest.data(), sizeof header.rows_digest);
    std::byte* out = bytes->data() + places.rotations;
    for (const Rotation& rotation : rotations_) {
      header.rotation_defect = std::max(header.rotation_defect, rotation.defect);
      std::memcpy(out, rotation.stored.data(), rotation.stored.size() * sizeof(F16));
      out += rotation.stored.size() * sizeof(F16);
    }
    std::memcpy(bytes->data(), &header, sizeof header);
  }

  void EncodeRows(const Norms& norms, const PlanesPlaces& places, AlignedBuffer* bytes) {
    const BatchEncoder::Target target{.exponent = Exponent(norms),
                                      .slack = Slack(),
                                      .signs = bytes->data() + places.signs,
                                      .records = bytes->data() + places.records};
    const int64_t num_batches = kernels::NumSignStrips(rows_.shape[0]);
    std::atomic<int64_t> done{0};
    ChunkQueue queue;
    pool_->Run([&](int thread) {
      int64_t batch = 0;
      int64_t end = 0;
      while (!Cancelled(options_) && queue.Take(num_batches, 1, &batch, &end)) {
        encoders_[static_cast<size_t>(thread)].Encode(batch, target);
        const int64_t batches_done = done.fetch_add(1, std::memory_order_relaxed) + 1;
        if (thread == 0 && options_.progress) {
          options_.progress(std::min(batches_done * kBatchRows, rows_.shape[0]));
        }
      }
    });
  }

  const ConstTensorView& rows_;
  const BuildOptions& options_;
  ThreadPool* const pool_;
  std::vector<Rotation> rotations_;
  std::vector<RotationPanels> panels_;
  std::vector<BatchEncoder> encoders_;
};

}  // namespace

Result<AlignedBuffer> BuildPlanes(const ConstTensorView& rows, const BuildOptions& options,
                                  ThreadPool* pool) {
  return Builder(rows, options, pool).Build();
}

}  // namespace headway::lmhead
