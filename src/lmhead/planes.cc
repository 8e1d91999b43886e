#include "lmhead/planes.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "kernels/plane_layout.h"
#include "lmhead/rotation.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kSmallestChannels = 8;
constexpr int64_t kLargestRows = int64_t{1} << 31;
constexpr int64_t kCopyBytes = int64_t{4} << 20;  // one piece of one thread

bool InRange(double value, double low, double high) { return value >= low && value <= high; }

const std::byte* SignTile(const Planes& planes, int64_t row) {
  return planes.Signs() + row / kernels::kSignTileRows * kernels::SignTileBytes(planes.Shape());
}

const std::byte* Record(const Planes& planes, int64_t row) {
  return planes.Records() + row * kernels::RefineRecordBytes(planes.Shape());
}

F16 HalfAt(const std::byte* bytes) {
  F16 half;
  std::memcpy(&half, bytes, sizeof half);
  return half;
}

void ReadBits(const std::byte* plane, int64_t num_channels, int64_t block,
              std::span<uint8_t> bits) {
  const int64_t first_unit = kernels::RefineUnitsBefore(num_channels, block);
  for (size_t c = 0; c < bits.size(); ++c)
    bits[c] = static_cast<uint8_t>(kernels::RefineBit(plane, first_unit, static_cast<int64_t>(c)));
}

}  // namespace

bool PlanesCanServe(int64_t num_channels) {
  return num_channels >= kSmallestChannels &&
         num_channels <= kernels::kMaxRotationBlocks * kernels::kRotationBlock;
}

PlanesPlaces PlanesPlacesOf(int64_t num_rows, const kernels::PlaneShape& shape) {
  const auto align = [](int64_t offset) { return kernels::RoundUp(offset, kAlignment); };
  const int64_t num_channels = shape.channels;
  PlanesPlaces places;
  places.directions = align(sizeof(PlanesHeader));
  places.rotations =
      align(places.directions + shape.directions * num_channels * int64_t{sizeof(float)});
  int64_t bytes = 0;
  for (int64_t b = 0; b < kernels::NumRotationBlocks(num_channels); ++b) {
    const int64_t n = kernels::RotationBlockOf(num_channels, b).size;
    bytes += n * Rotation::Stride(n) * 2;
  }
  places.signs = align(places.rotations + bytes);
  places.records =
      align(places.signs + kernels::NumSignTiles(num_rows) * kernels::SignTileBytes(shape));
  places.third_bits = places.records + num_rows * kernels::RefineRecordBytes(shape);
  places.end = align(places.third_bits + num_rows * kernels::RefineBitsBytes(num_channels)) +
               kernels::kRefineSlack;
  return places;
}

Result<void> Planes::Check(std::span<const std::byte> bytes, const std::string& rows_digest,
                           const std::string& where) {
  const auto corrupt = [&](const std::string& message) {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: {}", where, message));
  };
  if (bytes.size() < sizeof header_) {
    return corrupt(fmt::format("expected a planes header of {} bytes, found {}", sizeof header_,
                               bytes.size()));
  }
  std::memcpy(&header_, bytes.data(), sizeof header_);
  if (std::memcmp(header_.magic, kPlanesMagic, sizeof header_.magic) != 0) {
    return corrupt(fmt::format(
        "expected the magic {}, found something else: planes of another version, or none; pack "
        "again",
        kPlanesMagic));
  }
  if (header_.num_rows < 1 || header_.num_rows > kLargestRows ||
      !PlanesCanServe(header_.num_channels)) {
    return corrupt(fmt::format("expected planes of a head, found {} rows of {} channels",
                               header_.num_rows, header_.num_channels));
  }
  if (header_.num_directions < 0 || header_.num_directions > kernels::kMaxDirections) {
    return corrupt(fmt::format("expected at most {} common directions, found {}",
                               kernels::kMaxDirections, header_.num_directions));
  }
  const kernels::PlaneShape shape = ShapeOf(header_);
  places_ = PlanesPlacesOf(header_.num_rows, shape);
  if (static_cast<int64_t>(bytes.size()) != places_.end) {
    return corrupt(fmt::format("expected {} bytes for {} rows of {} channels, found {}",
                               places_.end, header_.num_rows, header_.num_channels, bytes.size()));
  }
  if (!InRange(static_cast<double>(header_.scale_exponent), -1000, 1000) ||
      !InRange(header_.rotation_defect, 0.0, 1.0) ||
      !InRange(header_.largest_row_norm, 0.0, kLargestRowNorm)) {
    return corrupt("expected error bounds between 0 and 1, found others");
  }
  const std::string found(header_.rows_digest, sizeof header_.rows_digest);
  if (found != rows_digest) {
    return corrupt(
        fmt::format("expected planes of the rows {}, found those of {}: they do not "
                    "belong together; pack again",
                    rows_digest, found));
  }
  constants_ = {.shape = shape,
                .scale_exponent = static_cast<int>(header_.scale_exponent),
                .rotation_defect = header_.rotation_defect,
                .largest_row_norm = header_.largest_row_norm};
  int64_t offset = places_.rotations;
  for (int64_t b = 0; b < kernels::NumRotationBlocks(header_.num_channels); ++b) {
    const int64_t n = kernels::RotationBlockOf(header_.num_channels, b).size;
    rotation_offsets_.push_back(offset);
    offset += n * Rotation::Stride(n) * 2;
  }
  data_ = bytes.data();
  return {};
}

Result<Planes> Planes::Open(const std::string& path, const std::string& rows_digest, bool copy,
                            ThreadPool* pool) {
  Planes planes;
  HW_TRY(planes.mapping_, MappedFile::Open(path));
  const auto bytes = planes.mapping_.Bytes();
  HW_TRY_VOID(planes.Check(bytes, rows_digest, path));
  if (!copy) {
    planes.mapping_.AdviseStreaming();
    return planes;
  }
  AlignedBuffer buffer(bytes.size());
  ChunkQueue queue;
  const auto total = static_cast<int64_t>(bytes.size());
  pool->Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(total, kCopyBytes, &begin, &end)) {
      std::memcpy(buffer.data() + begin, bytes.data() + begin, static_cast<size_t>(end - begin));
    }
  });
  planes.copy_ = std::move(buffer);
  planes.data_ = planes.copy_.data();
  planes.mapping_ = MappedFile();
  return planes;
}

Result<Planes> Planes::FromBytes(AlignedBuffer bytes, const std::string& rows_digest) {
  Planes planes;
  planes.copy_ = std::move(bytes);
  HW_TRY_VOID(planes.Check({planes.copy_.data(), planes.copy_.SizeBytes()}, rows_digest, "planes"));
  return planes;
}

const float* Planes::Direction(int64_t direction) const {
  const auto* first = reinterpret_cast<const float*>(data_ + places_.directions);
  return first + direction * header_.num_channels;
}

const F16* Planes::Rotation(int64_t block) const {
  return reinterpret_cast<const F16*>(data_ + rotation_offsets_[static_cast<size_t>(block)]);
}

void ReadSigns(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> signs) {
  const int64_t D = planes.Shape().channels;
  const std::byte* const tile = SignTile(planes, row);
  for (size_t c = 0; c < signs.size(); ++c) {
    const auto channel = static_cast<int64_t>(c);
    const uint32_t index = kernels::SignIndex(tile, D, block, channel / kernels::kSignGroup,
                                              row % kernels::kSignTileRows);
    signs[c] = static_cast<uint8_t>(index >> (channel % kernels::kSignGroup) & 1U);
  }
}

void ReadSecondBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits) {
  ReadBits(Record(planes, row), planes.Shape().channels, block, bits);
}

void ReadThirdBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits) {
  const int64_t D = planes.Shape().channels;
  ReadBits(planes.ThirdBits() + row * kernels::RefineBitsBytes(D), D, block, bits);
}

F16 SignTerm(const Planes& planes, int64_t row, int64_t term) {
  return HalfAt(SignTile(planes, row) +
                kernels::SignTermOffset(planes.Shape(), term, row % kernels::kSignTileRows));
}

F16 RecordTerm(const Planes& planes, int64_t row, int64_t term) {
  return HalfAt(Record(planes, row) + kernels::RefineBitsBytes(planes.Shape().channels) + 2 * term);
}

}  // namespace headway::lmhead
