#include "pack/package_cache.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/digest.h"
#include "base/file_lock.h"
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

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// No shared place such as /tmp as a last resort: anybody could put a package there beforehand.
Result<std::string> CacheDirectory(const EngineOptions& options) {
  if (!options.cache_directory.empty()) return options.cache_directory;
  if (std::string path = Environment("HEADWAY_CACHE"); !path.empty()) return path;
  if (const std::string path = Environment("XDG_CACHE_HOME"); !path.empty()) {
    return path + "/headway";
  }
  if (const std::string path = Environment("HOME"); !path.empty()) return path + "/.cache/headway";
  return Fail(ErrorCode::kNotFound,
              "cache: expected one of HEADWAY_CACHE, XDG_CACHE_HOME and HOME to say where packages "
              "made from GGUF files go, found none set");
}

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
  std::error_code error;
  fs::create_directories(root, error);  // what is wrong with it, the lock says
  const std::string path = directory + ".lock";
  auto lock = FileLock::TryTake(path);
  if (lock && !lock->IsHeld() && options.show_progress) {
    std::fprintf(stderr, "%s: another process packs it; waiting\n", gguf_path.c_str());
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

// Of a split model the same, whichever part was named.
std::string ModelStem(const std::string& gguf_path) {
  const auto part = gguf::ParseSplitName(gguf_path);
  return part ? fs::path(part->stem).filename().string() : fs::path(gguf_path).stem().string();
}

}  // namespace

Result<std::string> PackageFor(const std::string& gguf_path, const EngineOptions& options) {
  const std::string topology = options.topology.empty() ? kDefaultTopology : options.topology;
  std::string head(kAutoHead);
  if (!options.head.empty() && options.head != kAutoHead) {
    HW_TRY(head, CanonicalHeadKind(options.head));
  }
  HW_TRY(const std::string root, CacheDirectory(options));
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
  if (OpenManifest(directory, false)) return directory;
  HW_TRY(const FileLock lock, LockPackage(gguf_path, directory, root, options));
  if (OpenManifest(directory, false)) return directory;  // another process made it meanwhile
  PackOptions pack{.topology = topology, .heads = {head}, .usage_text = options.usage_text};
  pack.threads = options.threads;
  pack.source_digest = source;
  pack.replace = true;
  pack.show_progress = options.show_progress;
  if (options.show_progress)
    pack.announcement = fmt::format("packing {} once into {}", gguf_path, directory);
  pack.cancelled_or_null = options.cancelled_or_null;
  const Result<Manifest> manifest = Pack(gguf_path, directory, pack, emitter.get());
  if (!manifest) return CacheError(manifest.error(), root);
  return directory;
}

}  // namespace headway::pack
