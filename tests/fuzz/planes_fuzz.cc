// libFuzzer target: any bytes as a planes file.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "kernels/plane_layout.h"
#include "lmhead/planes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  using headway::lmhead::Planes;
  headway::AlignedBuffer bytes(num_bytes);
  if (num_bytes > 0) std::memcpy(bytes.data(), input, num_bytes);
  const std::byte* const begin = bytes.data();
  // The digest that the file itself names, so that what comes after the check is reached.
  headway::lmhead::PlanesHeader header{};
  std::memcpy(&header, input, num_bytes < sizeof header ? num_bytes : sizeof header);
  const auto planes = Planes::FromBytes(std::move(bytes),
                                        std::string(header.rows_digest, sizeof header.rows_digest));
  if (!planes) return 0;
  // Every section of planes that open lies inside the file.
  const headway::kernels::PlaneShape shape = planes->Shape();
  const int64_t last = headway::kernels::NumRotationBlocks(shape.channels) - 1;
  const auto* direction =
      reinterpret_cast<const std::byte*>(planes->Direction(shape.directions) - 1);
  const auto* rotation = reinterpret_cast<const std::byte*>(planes->Rotation(last));
  const std::byte* const third_bits_end =
      planes->ThirdBits() + planes->NumRows() * headway::kernels::RefineBitsBytes(shape.channels) +
      headway::kernels::kRefineSlack;
  const bool inside = direction < rotation && rotation > begin && rotation < planes->Signs() &&
                      planes->Signs() < planes->Records() &&
                      planes->Records() < planes->ThirdBits() &&
                      third_bits_end <= begin + num_bytes;
  if (!inside) __builtin_trap();
  return 0;
}
