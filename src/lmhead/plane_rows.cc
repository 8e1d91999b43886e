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

void ReadCodes(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> codes) {
  const int64_t first_unit = kernels::RefineUnitsBefore(planes.Shape().channels, block);
  const std::byte* const record = Record(planes, row);
  for (size_t c = 0; c < codes.size(); ++c) {
    codes[c] =
        static_cast<uint8_t>(kernels::RefineCode(record, first_unit, static_cast<int64_t>(c)));
  }
}

F16 SignTerm(const Planes& planes, int64_t row, int64_t term) {
  return HalfAt(SignTile(planes, row) +
                kernels::SignTermOffset(planes.Shape(), term, row % kernels::kSignTileRows));
}

F16 RefineTerm(const Planes& planes, int64_t row, int64_t term) {
  return HalfAt(Record(planes, row) + kernels::RefineCodesBytes(planes.Shape().channels) +
                2 * term);
}

}  // namespace headway::lmhead
