#pragma once

// XXH3-128 digests of shard files and of logits. They detect accidents (truncation, bit rot, a
// swapped shard), not attackers: integrity, not authenticity.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace headway {

// The digest of `bytes` as 32 lower-case hexadecimal digits.
std::string DigestHex(std::span<const std::byte> bytes);

// A 64-bit hash (XXH3) of `bytes`.
uint64_t Hash64(std::span<const std::byte> bytes);

// A digest over data that arrives in pieces.
class StreamingDigest {
 public:
  StreamingDigest();
  StreamingDigest(StreamingDigest&&) noexcept;
  StreamingDigest& operator=(StreamingDigest&&) noexcept;
  ~StreamingDigest();
  void Update(std::span<const std::byte> bytes);
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The digest of a whole file, read in pieces. Errors: kNotFound, kIo.
Result<std::string> FileDigestHex(const std::string& path);

}  // namespace headway
