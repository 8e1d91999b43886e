// libFuzzer target: any bytes as the Manifest.json of a Core ML package.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "coreml_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  // A copy of exactly this length: AddressSanitizer sees one byte too many.
  std::vector<std::byte> bytes(num_bytes);
  if (num_bytes > 0) std::memcpy(bytes.data(), input, num_bytes);
  headway::ExerciseCoremlManifest(bytes);
  return 0;
}
