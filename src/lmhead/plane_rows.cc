#include "lmhead/plane_rows.h"

#include <cstring>

#include "kernels/plane_layout.h"

namespace headway::lmhead {
namespace {

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
