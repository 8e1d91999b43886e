// libFuzzer target: any bytes as a goldens.bin.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "manifest/goldens.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  std::vector<std::byte> bytes(num_bytes);
  if (num_bytes > 0) std::memcpy(bytes.data(), input, num_bytes);
  const auto goldens = headway::ParseGoldens(bytes, "goldens.bin");
  return goldens && goldens->ids.size() > num_bytes ? 1 : 0;
}
