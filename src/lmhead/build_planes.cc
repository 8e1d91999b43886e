#include "lmhead/build_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/certificate.h"
#include "lmhead/common_directions.h"
#include "lmhead/planes.h"
#include "lmhead/rotate_rows.h"
#include "lmhead/rotation.h"
#include "lmhead/row_encoder.h"

namespace headway::lmhead {
namespace {

// Stored scales lie below 2^14 of the largest row's norm: at most half of F16's range.
constexpr int kScaleBits = 14;

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
    const RowNorms norms = MeasureNorms();
    if (!norms.finite) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("certified head: expected finite weights in {}, found NaN or infinity",
                      rows_.name));
    }
    if (norms.largest_row > kLargestRowNorm) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("certified head: expected rows of {} of a norm up to {}, found {}; pack "
                      "with --head full:4",
                      rows_.name, kLargestRowNorm, norms.largest_row));
    }
    if (options_.directions) {
      directions_ = *options_.directions;
    } else if (options_.most_directions > 0) {
      directions_ = FindDirections(rows_, {}, pool_, options_.most_directions).values;
    }
    shape_ = {.channels = D, .directions = static_cast<int64_t>(directions_.size()) / D};
    for (int i = 0; i < pool_->NumThreads(); ++i)
      encoders_.emplace_back(rows_, directions_, panels_);
    const PlanesPlaces places = PlanesPlacesOf(rows_.shape[0], shape_);
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

  RowNorms MeasureNorms() {
    std::vector<RowNorms> mine(static_cast<size_t>(pool_->NumThreads()));
    ChunkQueue queue;
    pool_->Run([&](int thread) {
      RowNormReader reader(rows_);
      int64_t row = 0;
      int64_t end = 0;
      while (queue.Take(rows_.shape[0], 256, &row, &end)) {
        for (; row < end; ++row) reader.Add(row, &mine[static_cast<size_t>(thread)]);
      }
    });
    RowNorms all;
    for (const RowNorms& norms : mine) {
      all.finite = all.finite && norms.finite;
      all.largest_row = std::max(all.largest_row, norms.largest_row);
      all.largest_magnitude = std::max(all.largest_magnitude, norms.largest_magnitude);
    }
    return all;
  }

  int Exponent(const RowNorms& norms) const {
    const double largest = std::max(norms.largest_row, norms.largest_magnitude);
    return largest > 0.0 ? kScaleBits - std::ilogb(largest) - 1 : 0;
  }
  double Slack() const { return FullHeadSlack(IsQuantised(rows_.type), rows_.shape.Columns()); }

  void WriteHeader(const RowNorms& norms, const PlanesPlaces& places, AlignedBuffer* bytes) {
    PlanesHeader header{};
    std::memcpy(header.magic, kPlanesMagic, sizeof header.magic);
    header.num_rows = rows_.shape[0];
    header.num_channels = shape_.channels;
    header.num_directions = shape_.directions;
    header.scale_exponent = Exponent(norms);
    header.largest_row_norm = norms.largest_row;
    std::memcpy(header.rows_digest, options_.rows_digest.data(), sizeof header.rows_digest);
    const auto directions = std::as_bytes(std::span(directions_));
    std::copy(directions.begin(), directions.end(), bytes->data() + places.directions);
    std::byte* out = bytes->data() + places.rotations;
    for (const Rotation& rotation : rotations_) {
      header.rotation_defect = std::max(header.rotation_defect, rotation.defect);
      std::memcpy(out, rotation.stored.data(), rotation.stored.size() * sizeof(F16));
      out += rotation.stored.size() * sizeof(F16);
    }
    std::memcpy(bytes->data(), &header, sizeof header);
  }

  void EncodeRows(const RowNorms& norms, const PlanesPlaces& places, AlignedBuffer* bytes) {
    const RowEncoder::Target target{.exponent = Exponent(norms),
                                    .slack = Slack(),
                                    .signs = bytes->data() + places.signs,
                                    .records = bytes->data() + places.records,
                                    .third_bits = bytes->data() + places.third_bits};
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
  std::vector<float> directions_;  // [k, D]
  kernels::PlaneShape shape_;
  std::vector<Rotation> rotations_;
  std::vector<RotationPanels> panels_;
  std::vector<RowEncoder> encoders_;
};

}  // namespace

Result<AlignedBuffer> BuildPlanes(const ConstTensorView& rows, const BuildOptions& options,
                                  ThreadPool* pool) {
  return Builder(rows, options, pool).Build();
}

}  // namespace headway::lmhead
