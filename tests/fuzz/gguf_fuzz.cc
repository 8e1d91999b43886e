// libFuzzer target: any bytes as a GGUF file.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "gguf_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  // A copy of exactly this length: reading one byte too many is an error that AddressSanitizer
  // sees.
  std::vector<std::byte> bytes(num_bytes);
  if (num_bytes > 0) std::memcpy(bytes.data(), input, num_bytes);
  headway::ExerciseGguf(bytes);
  return 0;
}
