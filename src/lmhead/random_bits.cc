#include "lmhead/random_bits.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <span>

#include "base/platform.h"

namespace headway::lmhead {
namespace {

constexpr std::array<uint32_t, 4> kConstants = {0x61707865U, 0x3320646eU, 0x79622d32U, 0x6b206574U};

void QuarterRound(std::array<uint32_t, 16>* x, size_t a, size_t b, size_t c, size_t d) {
  auto& s = *x;
  s[a] += s[b];
  s[d] = std::rotl(s[d] ^ s[a], 16);
  s[c] += s[d];
  s[b] = std::rotl(s[b] ^ s[c], 12);
  s[a] += s[b];
  s[d] = std::rotl(s[d] ^ s[a], 8);
  s[c] += s[d];
  s[b] = std::rotl(s[b] ^ s[c], 7);
}

}  // namespace

Result<RotationSeed> RotationSeed::FromSystem() {
  RotationSeed seed;
  if (!platform::FillRandom(std::as_writable_bytes(std::span(seed.key))))
    return Fail(ErrorCode::kIo, "rotation seed: the system has no random numbers");
  return seed;
}

RotationSeed RotationSeed::FromNumber(uint64_t number) {
  RotationSeed seed;
  seed.key[0] = static_cast<uint32_t>(number);
  seed.key[1] = static_cast<uint32_t>(number >> 32);
  return seed;
}

void RandomBits::Refill() {
  std::array<uint32_t, 16> input{};
  for (size_t i = 0; i < 4; ++i) input[i] = kConstants[i];
  for (size_t i = 0; i < 8; ++i) input[4 + i] = seed_.key[i];
  input[12] = static_cast<uint32_t>(block_);
  input[13] = static_cast<uint32_t>(block_ >> 32);
  input[14] = static_cast<uint32_t>(stream_);
  input[15] = static_cast<uint32_t>(stream_ >> 32);
  words_ = input;
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < 4; ++i) QuarterRound(&words_, i, 4 + i, 8 + i, 12 + i);
    for (size_t i = 0; i < 4; ++i) {
      QuarterRound(&words_, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
  }
  for (size_t i = 0; i < 16; ++i) words_[i] += input[i];
  ++block_;
  used_ = 0;
}

uint64_t RandomBits::Next64() {
  if (used_ + 2 > words_.size()) Refill();
  const uint64_t low = words_[used_];
  const uint64_t high = words_[used_ + 1];
  used_ += 2;
  return high << 32 | low;
}

double RandomBits::NextNormal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double u = (static_cast<double>(Next64() >> 11) + 0.5) * 0x1p-53;
  const double v = (static_cast<double>(Next64() >> 11) + 0.5) * 0x1p-53;
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * v;
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

}  // namespace headway::lmhead
