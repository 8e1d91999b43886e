// Deterministic mutations of valid Core ML packages, in every build: what the fuzz targets look
// for, on a small scale.

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "coreml_exercise.h"
#include "coreml_seeds.h"

namespace headway {
namespace {

using Exercise = void (*)(std::span<const std::byte>);

void Try(const std::string& text, Exercise exercise) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  exercise(bytes);
}

// Cuts, single bytes set to telling values, swapped stretches, and repeated ones.
void Mutate(const std::string& seed, Exercise exercise, int rounds) {
  std::mt19937 random(12345);  // the same mutations every time
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  Try(seed, exercise);
  constexpr unsigned char kTelling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x7b};
  for (int i = 0; i < rounds; ++i) {
    std::string text = seed;
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(text.size());
      const size_t length = std::min(text.size() - at, 1 + below(16));
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(kTelling[below(std::size(kTelling))]);
          break;
        case 1:
          text[at] = static_cast<char>(text[at] ^ static_cast<char>(1U << below(8)));
          break;
        case 2:
          text.insert(at, text.substr(at, length));
          break;
        default:
          text.erase(at, std::min(length, text.size() - 1));
          break;
      }
    }
    Try(text, exercise);
  }
  for (size_t i = 0; i < 64; ++i) Try(seed.substr(0, seed.size() * i / 64), exercise);
}

TEST(CoremlMutation, Models_NeverCrash) {
  for (const std::string& seed : MakeCoremlSeeds().models) Mutate(seed, ExerciseCoremlModel, 1500);
}

TEST(CoremlMutation, WeightFiles_NeverCrash) {
  for (const std::string& seed : MakeCoremlSeeds().weights)
    Mutate(seed, ExerciseCoremlWeights, 3000);
}

TEST(CoremlMutation, Manifests_NeverCrash) {
  for (const std::string& seed : MakeCoremlSeeds().manifests)
    Mutate(seed, ExerciseCoremlManifest, 3000);
}

}  // namespace
}  // namespace headway
