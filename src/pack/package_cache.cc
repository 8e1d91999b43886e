#include "pack/package_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "base/cache_directory.h"
#include "base/digest.h"
#include "base/file_lock.h"
#include "base/notice.h"
#include "engine/devices.h"
#include "gguf/split.h"
#include "headway/version.h"
#include "lmhead/planes.h"
#include "manifest/head_kind.h"
#include "manifest/manifest.h"
#include "pack/pack.h"
#include "pack/recorded_texts.h"
#include "pack/source_digest.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultTopology = "6";

// A failed write may be the cache's fault or a full disk: either way another directory helps.
tl::unexpected<Error> CacheError(Error error, const std::string& root) {
  if (error.code == ErrorCode::kIo) {
    error.message = fmt::format(
        "cache: {}; set HEADWAY_CACHE to a directory with room that you may write to (now: {}), or "
        "make a package with 'headway pack'",
        error.message, root);
  }
  return tl::unexpected<Error>(std::move(error));
}

// One process packs; others that want the same package wait for it.
Result<FileLock> LockPackage(const std::string& gguf_path, const std::string& directory,
                             const std::string& root, const EngineOptions& options) {
  MakeCacheDirectory(root);  // what is wrong with it, the lock says
  const std::string path = directory + ".lock";
  auto lock = FileLock::TryTake(path);
  if (lock && !lock->IsHeld() && options.show_progress) {
    Notice(gguf_path + ": another process packs it; waiting\n");
  }
  while (lock && !lock->IsHeld()) {
    if (options.cancelled_or_null != nullptr && options.cancelled_or_null->load())
      return Fail(ErrorCode::kCancelled, "interrupted while another process packs " + gguf_path);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    lock = FileLock::TryTake(path);
  }
  if (!lock) return CacheError(lock.error(), root);
  return lock;
}

// Of a split model the same, whichever part was named. Cut: a key, a lock's ending and a process
// number come behind it, and names have at most 255 bytes.
std::string ModelStem(const std::string& gguf_path) {
  constexpr size_t kLongestStem = 128;
  const auto part = gguf::ParseSplitName(gguf_path);
  const std::string stem =
      part ? fs::path(part->stem).filename().string() : fs::path(gguf_path).stem().string();
  size_t end = std::min(stem.size(), kLongestStem);
  while (end > 0 && end < stem.size() && (stem[end] & 0xc0) == 0x80) --end;  // within a character
  return stem.substr(0, end);
}

}  // namespace

Result<std::string> PackageFor(const std::string& gguf_path, const EngineOptions& options) {
  const std::string topology = options.topology.empty() ? kDefaultTopology : options.topology;
  std::string head(kAutoHead);
  if (!options.head.empty() && options.head != kAutoHead) {
    HW_TRY(head, CanonicalHeadKind(options.head));
  }
  HW_TRY(const std::string root, CacheDirectory(options.cache_directory));
  HW_TRY_VOID(CheckOwner(root));
  HW_TRY(const std::string source, SourceDigest(gguf_path, root, options.verify_contents));
  HW_TRY(const auto emitter, MakeEmitterFor(kDefaultDevice));
  // Whatever changes what a package holds must change its name.
  std::string request = fmt::format("{} {} {} {} schema {} {} {}", source, topology, head, kVersion,
                                    Manifest::kSchema, emitter->Settings(), lmhead::kPlanesMagic);
  if (head == kAutoHead || ParseHeadKind(head)->HasPlanes())
    request += fmt::format(" texts {}", kRecordedTextsVersion);
  if (!options.usage_text.empty()) request += " usage " + options.usage_text;
  const std::string key =
      DigestHex(std::as_bytes(std::span<const char>(request.data(), request.size()))).substr(0, 16);
  const std::string directory =
      (fs::path(root) / fmt::format("{}-{}", ModelStem(gguf_path), key)).string();
  HW_TRY_VOID(CheckOwner(directory));
  if (OpenManifest(directory, false)) return directory;
  HW_TRY(const FileLock lock, LockPackage(gguf_path, directory, root, options));
  if (OpenManifest(directory, false)) return directory;  // another process made it meanwhile
  PackOptions pack{.topology = topology, .heads = {head}, .usage_text = options.usage_text};
  pack.threads = options.threads;
  pack.source_digest = source;
  pack.replace = true;
  pack.for_owner_only = true;
  pack.show_progress = options.show_progress;
  pack.progress = options.progress;
  if (options.show_progress)
    pack.announcement = fmt::format("packing {} once into {}", gguf_path, directory);
  pack.cancelled_or_null = options.cancelled_or_null;
  const Result<Manifest> manifest = Pack(gguf_path, directory, pack, emitter.get());
  if (!manifest) return CacheError(manifest.error(), root);
  return directory;
}

}  // namespace headway::pack
