// The fuzzer's little brother: some thousands of mutations from a fixed seed, in every test run and
// with any compiler. Also holds parsing to memory in proportion to the file.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "allocation_counter.h"
#include "gguf/gguf_file.h"
#include "gguf_exercise.h"

namespace headway {
namespace {

// All that parsing may allocate in total: list entries, hash nodes and their growth, each a
// multiple of bytes in the file; plus messages.
void ExpectModestParse(std::span<const std::byte> bytes) {
  const size_t before = AllocatedBytes();
  { const auto file = gguf::GgufFile::Parse(bytes, "mutated.gguf"); }
  EXPECT_LE(AllocatedBytes() - before, 64 * bytes.size() + 16384);
}

TEST(GgufMutationTest, TruncatedAtEveryByte_IsNeverAcceptedWithMissingBytes) {
  for (const auto& seed : GgufSeeds()) {
    for (size_t length = 0; length < seed.size(); ++length) {
      const std::vector<std::byte> cut(seed.begin(),
                                       seed.begin() + static_cast<std::ptrdiff_t>(length));
      // Only padding may be missing: every tensor is inside the file or the file is refused
      // (ExerciseGguf checks).
      ExerciseGguf(cut);
    }
  }
}

// Everything before the first tensor's data: flips behind it change numbers only.
size_t HeaderBytes(std::span<const std::byte> seed) {
  const auto file = gguf::GgufFile::Parse(seed, "seed.gguf").value();
  return file.Tensors().empty() ? seed.size() : file.Tensors().front().offset_bytes;
}

TEST(GgufMutationTest, EveryBitOfTheHeaderFlipped_ParsesConsistentlyOrFails) {
  int accepted = 0;
  int refused = 0;
  for (auto seed : GgufSeeds()) {
    for (size_t bit = 0; bit < 8 * HeaderBytes(seed); ++bit) {
      seed[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      ++(ExerciseGguf(seed) ? accepted : refused);
      ExpectModestParse(seed);
      seed[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 1000);
}

constexpr std::array<uint64_t, 12> kNastyNumbers = {0,
                                                    1,
                                                    5,
                                                    7,
                                                    9,
                                                    0x7fffffff,
                                                    0xffffffff,
                                                    0x7fffffffffffffff,
                                                    0x8000000000000000,
                                                    0xffffffffffffffff,
                                                    0x2000000000000000,
                                                    0x100000000};

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  void Mutate(std::vector<std::byte>& bytes) {
    if (bytes.empty()) return;
    const size_t at = Below(bytes.size());
    switch (Below(6)) {
      case 0:
        bytes[at] ^= static_cast<std::byte>(1U << Below(8));
        break;
      case 1:
        bytes[at] = static_cast<std::byte>(Below(256));
        break;
      case 2:
        Overwrite(bytes, at, Below(2) == 0 ? 4 : 8);
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4: {  // a piece again elsewhere
        const size_t length = std::min<size_t>(1 + Below(40), bytes.size() - at);
        const std::vector<std::byte> piece(
            bytes.begin() + static_cast<std::ptrdiff_t>(at),
            bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(Below(bytes.size())),
                     piece.begin(), piece.end());
        break;
      }
      default: {  // a piece less
        const size_t length = std::min<size_t>(1 + Below(40), bytes.size() - at);
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
        break;
      }
    }
  }

  size_t Below(size_t limit) { return static_cast<size_t>(random_()) % limit; }

 private:
  void Overwrite(std::vector<std::byte>& bytes, size_t at, size_t width) {
    const uint64_t number = kNastyNumbers[Below(kNastyNumbers.size())];
    std::memcpy(bytes.data() + at, &number, std::min(width, bytes.size() - at));
  }

  std::mt19937 random_;
};

TEST(GgufMutationTest, TwentyThousandMutations_ParseConsistentlyOrFail) {
  const auto seeds = GgufSeeds();
  Mutator mutator(20260101);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> bytes = seeds[mutator.Below(seeds.size())];
    const size_t count = 1 + mutator.Below(3);
    for (size_t i = 0; i < count; ++i) mutator.Mutate(bytes);
    ExerciseGguf(bytes);
    ExpectModestParse(bytes);
  }
}

}  // namespace
}  // namespace headway
