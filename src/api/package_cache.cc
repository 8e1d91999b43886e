#include "api/package_cache.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "api/opened_model.h"
#include "base/digest.h"
#include "compile/pack.h"
#include "headway/version.h"
#include "manifest/manifest.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

std::string DefaultCacheDirectory() {
  if (const char* directory = std::getenv("HEADWAY_CACHE");
      directory != nullptr && *directory != '\0')
    return directory;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0')
    return std::string(xdg) + "/headway";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::string(home) + "/.cache/headway";
  return "/tmp/headway-cache";
}

}  // namespace

Result<std::string> PackageFor(const std::string& gguf_path, const EngineOptions& options) {
  HW_TRY(const std::string fingerprint, compile::QuickFingerprint(gguf_path));
  const std::string head = options.head.empty() ? "full:4" : options.head;
  const std::string request = fmt::format("{} {} {} {} schema {}", fingerprint, options.topology,
                                          head, kVersion, Manifest::kSchema);
  const std::string key =
      DigestHex(std::as_bytes(std::span<const char>(request.data(), request.size()))).substr(0, 16);
  const std::string root =
      options.cache_directory.empty() ? DefaultCacheDirectory() : options.cache_directory;
  const std::string directory =
      (fs::path(root) / fmt::format("{}-{}", fs::path(gguf_path).stem().string(), key)).string();
  if (OpenManifest(directory, false)) return directory;
  if (options.show_progress) {
    std::fprintf(stderr, "packing %s once into %s\n", gguf_path.c_str(), directory.c_str());
  }
  HW_TRY(const auto emitter, MakeEmitterFor("cpu"));
  const compile::PackOptions pack{.topology = options.topology,
                                  .heads = {head},
                                  .replace = true,
                                  .show_progress = options.show_progress};
  HW_TRY(const Manifest manifest, compile::Pack(gguf_path, directory, pack, emitter.get()));
  static_cast<void>(manifest);
  return directory;
}

}  // namespace headway
