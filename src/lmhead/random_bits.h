#pragma once

// The random numbers behind a package's rotation: ChaCha20 (Bernstein 2008; RFC 8439, section 2.3)
// keyed with 256 bits. A cipher, because the certified head's guarantee needs a rotation that no
// hidden state can depend on.

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace headway::lmhead {

struct RotationSeed {
  std::array<uint32_t, 8> key{};

  // 256 bits from the operating system. Errors: kIo.
  static Result<RotationSeed> FromSystem();
  // For reproduction only: the number decides everything.
  static RotationSeed FromNumber(uint64_t number);
};

// A stream of numbers; different streams of one seed are independent.
class RandomBits {
 public:
  RandomBits(const RotationSeed& seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  uint64_t Next64();
  // Normal with mean 0 and variance 1 (Box and Muller 1958), from 53-bit uniforms.
  double NextNormal();

 private:
  void Refill();

  RotationSeed seed_;
  uint64_t stream_;
  uint64_t block_ = 0;
  std::array<uint32_t, 16> words_{};
  size_t used_ = 16;
  double spare_ = 0.0;
  bool has_spare_ = false;
};

}  // namespace headway::lmhead
