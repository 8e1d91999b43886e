#include "base/digest.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/mapped_file.h"

namespace headway {
namespace {

std::string Hex64(uint64_t hash) { return fmt::format("{:016x}", hash); }
std::string Hex128(XXH128_hash_t hash) { return Hex64(hash.high64) + Hex64(hash.low64); }

}  // namespace

struct StreamingDigest::State {
  XXH3_state_t xxh;
};

std::string DigestHex(std::span<const std::byte> bytes) {
  return Hex128(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string BlockDigestHex(std::span<const std::byte> block) { return Hex64(Hash64(block)); }

struct BlockDigests::State {
  XXH3_state_t xxh;
  size_t in_block = 0;
  std::string complete;
};

BlockDigests::BlockDigests() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(&state_->xxh);
}
BlockDigests::BlockDigests(BlockDigests&&) noexcept = default;
BlockDigests& BlockDigests::operator=(BlockDigests&&) noexcept = default;
BlockDigests::~BlockDigests() = default;

void BlockDigests::Update(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t length = std::min(bytes.size(), kDigestBlockBytes - state_->in_block);
    XXH3_64bits_update(&state_->xxh, bytes.data(), length);
    state_->in_block += length;
    bytes = bytes.subspan(length);
    if (state_->in_block < kDigestBlockBytes) continue;
    state_->complete += Hex64(XXH3_64bits_digest(&state_->xxh));
    XXH3_64bits_reset(&state_->xxh);
    state_->in_block = 0;
  }
}

std::string BlockDigests::Hex() const {
  if (state_->in_block == 0) return state_->complete;
  return state_->complete + Hex64(XXH3_64bits_digest(&state_->xxh));
}

uint64_t Hash64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

StreamingDigest::StreamingDigest() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->xxh);
}
StreamingDigest::StreamingDigest(StreamingDigest&&) noexcept = default;
StreamingDigest& StreamingDigest::operator=(StreamingDigest&&) noexcept = default;
StreamingDigest::~StreamingDigest() = default;

void StreamingDigest::Update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

std::string StreamingDigest::Hex() const { return Hex128(XXH3_128bits_digest(&state_->xxh)); }

Result<std::string> FileDigestHex(const std::string& path, std::string* blocks_or_null) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  constexpr size_t kPieceBytes = size_t{16} << 20;
  StreamingDigest digest;
  BlockDigests blocks;
  const std::span<const std::byte> bytes = file.Bytes();
  for (size_t offset = 0; offset < bytes.size(); offset += kPieceBytes) {
    const size_t length = std::min(kPieceBytes, bytes.size() - offset);
    digest.Update(bytes.subspan(offset, length));
    if (blocks_or_null != nullptr) blocks.Update(bytes.subspan(offset, length));
    file.AdviseDone(offset, length);
  }
  if (blocks_or_null != nullptr) *blocks_or_null = blocks.Hex();
  return digest.Hex();
}

}  // namespace headway
