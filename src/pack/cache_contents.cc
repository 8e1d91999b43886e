#include "pack/cache_contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/directory.h"
#include "base/file_lock.h"
#include "base/file_tree.h"
#include "base/file_writer.h"
#include "device/compiled_cache.h"
#include "manifest/manifest.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

// Names in the directory; none when it is not there.
Result<std::vector<std::string>> NamesIfAny(const std::string& directory) {
  auto names = NamesIn(directory);
  if (!names && names.error().code == ErrorCode::kNotFound) return std::vector<std::string>();
  return names;
}

bool IsUnfinished(const std::string& name) { return name.find(".partial-") != std::string::npos; }

Result<void> Remove(const std::string& path) {
  const std::error_code error = RemoveTree(path);
  if (!error) return {};
  return Fail(ErrorCode::kIo, fmt::format("{}: cannot remove: {}", path, error.message()));
}

// What packs that were killed left, digests of sources, locks that nobody holds.
Result<void> RemoveRests(const std::string& cache) {
  HW_TRY(const std::vector<std::string> names, NamesIfAny(cache));
  for (const std::string& name : names) {
    const std::string path = (fs::path(cache) / name).string();
    if (IsUnfinished(name)) {
      if (AtomicDirectory::IsAbandoned(path)) HW_TRY_VOID(Remove(path));
    } else if (name.ends_with(".lock")) {
      HW_TRY(const FileLock lock, FileLock::TryTake(path));  // goes when it is let go of
    } else if (name.size() == 23 && name.starts_with("source-")) {
      HW_TRY_VOID(Remove(path));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<CachedPackage>> CachedPackages(const std::string& cache) {
  HW_TRY(const std::vector<std::string> names, NamesIfAny(cache));
  std::vector<CachedPackage> packages;
  for (const std::string& name : names) {
    const std::string path = (fs::path(cache) / name).string();
    if (IsUnfinished(name) || !IsPackageOfAnyVersion(path)) continue;
    CachedPackage package{.name = name, .source = {}, .bytes = TreeBytes(path).value_or(0)};
    if (const auto manifest = OpenManifest(path, false)) package.source = manifest->source_file;
    packages.push_back(std::move(package));
  }
  HW_TRY(const auto compiled, NamesIfAny((fs::path(cache) / kCompiledFolder).string()));
  for (const std::string& name : compiled) {
    const fs::path path = fs::path(cache) / kCompiledFolder / name;
    std::string source = SourceOfCompiled(path.string());
    if (source.empty()) continue;
    packages.push_back({.name = (fs::path(kCompiledFolder) / name).string(),
                        .source = std::move(source),
                        .bytes = TreeBytes(path.string()).value_or(0),
                        .is_compiled = true});
  }
  return packages;
}

Result<uint64_t> CleanCache(const std::string& cache, std::span<const std::string> names) {
  HW_TRY(std::vector<CachedPackage> packages, CachedPackages(cache));
  for (const std::string& name : names) {
    if (std::none_of(packages.begin(), packages.end(),
                     [&](const CachedPackage& package) { return package.name == name; })) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{}: expected a package called '{}', found none", cache, name));
    }
  }
  uint64_t bytes = 0;
  for (const CachedPackage& package : packages) {
    if (!names.empty() && std::find(names.begin(), names.end(), package.name) == names.end())
      continue;
    HW_TRY_VOID(Remove((fs::path(cache) / package.name).string()));
    bytes += package.bytes;
  }
  if (!names.empty()) return bytes;
  HW_TRY_VOID(RemoveRests(cache));
  HW_TRY_VOID(RemoveRests((fs::path(cache) / kCompiledFolder).string()));
  return bytes;
}

}  // namespace headway::pack
