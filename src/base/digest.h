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

// Integrity block by block, so that damage has a place and checking can go on beside other work.
inline constexpr size_t kDigestBlockBytes = size_t{4} << 20;
inline constexpr size_t kBlockDigestDigits = 16;

// The digest of one block, at most kDigestBlockBytes: XXH3-64 as 16 hexadecimal digits.
std::string BlockDigestHex(std::span<const std::byte> block);

// Digests of the blocks of data that arrives in pieces, one after the other; the last block may be
// short, no data has none.
class BlockDigests {
 public:
  BlockDigests();
  BlockDigests(BlockDigests&&) noexcept;
  BlockDigests& operator=(BlockDigests&&) noexcept;
  ~BlockDigests();
  void Update(std::span<const std::byte> bytes);
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

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

// The digest of a whole file, read in pieces, and those of its blocks if `blocks_or_null` wants
// them. Errors: kNotFound, kIo.
Result<std::string> FileDigestHex(const std::string& path, std::string* blocks_or_null = nullptr);

}  // namespace headway
