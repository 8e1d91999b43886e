#include "base/digest.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/mapped_file.h"

namespace headway {
namespace {

std::string Hex128(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

struct StreamingDigest::State {
  XXH3_state_t xxh;
};

std::string DigestHex(std::span<const std::byte> bytes) {
  return Hex128(XXH3_128bits(bytes.data(), bytes.size()));
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

Result<std::string> FileDigestHex(const std::string& path) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  constexpr size_t kPieceBytes = size_t{16} << 20;
  StreamingDigest digest;
  const std::span<const std::byte> bytes = file.Bytes();
  for (size_t offset = 0; offset < bytes.size(); offset += kPieceBytes) {
    const size_t length = std::min(kPieceBytes, bytes.size() - offset);
    digest.Update(bytes.subspan(offset, length));
    file.AdviseDone(offset, length);
  }
  return digest.Hex();
}

}  // namespace headway
