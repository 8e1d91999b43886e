#include "device/compiled_cache.h"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>
#include <span>
#include <utility>

#include "base/cache_directory.h"
#include "base/digest.h"
#include "base/directory.h"
#include "base/file_writer.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "program.mlmodelc";  // Core ML goes by the ending
constexpr const char* kSource = "source";
constexpr uint64_t kLongestPath = 65536;

std::string ShortDigest(const std::string& text) {
  return DigestHex(std::as_bytes(std::span<const char>(text.data(), text.size()))).substr(0, 16);
}

Error CannotKeep(const std::string& directory, const std::string& why) {
  return {ErrorCode::kIo,
          fmt::format("cache: {}: cannot keep a compiled program: {}; set HEADWAY_CACHE to a "
                      "directory with room that you may write to",
                      directory, why)};
}

}  // namespace

Result<CompiledCache> CompiledCache::Open() {
  HW_TRY(const std::string root, CacheDirectory(""));
  HW_TRY_VOID(CheckOwner(root));
  const std::string directory = (fs::path(root) / kCompiledFolder).string();
  HW_TRY_VOID(CheckOwner(directory));
  MakeCacheDirectory(root);
  MakeCacheDirectory(directory);
  std::error_code error;
  if (!fs::is_directory(directory, error))
    return tl::unexpected<Error>(CannotKeep(directory, "it cannot be made"));
  return CompiledCache(directory);
}

std::string CompiledCache::EntryOf(const std::string& source, const std::string& key) const {
  return (fs::path(directory_) / fmt::format("{}-{}", ShortDigest(source), ShortDigest(key)))
      .string();
}

Result<std::string> CompiledCache::Find(const std::string& source, const std::string& key) const {
  const std::string entry = EntryOf(source, key);
  HW_TRY_VOID(CheckOwner(entry));
  std::string program = (fs::path(entry) / kProgram).string();
  std::error_code error;
  return fs::exists(program, error) ? program : std::string();
}

Result<std::string> CompiledCache::Keep(const std::string& source, const std::string& key,
                                        const std::string& compiled) const {
  // Unfinished entries are named after the process.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const std::string entry = EntryOf(source, key);
  auto made = AtomicDirectory::Create(entry, false);
  if (made) {
    const fs::path program = fs::path(made->Path()) / kProgram;
    std::error_code error;
    fs::rename(compiled, program, error);
    if (error) fs::copy(compiled, program, fs::copy_options::recursive, error = {});
    if (error) return tl::unexpected<Error>(CannotKeep(directory_, error.message()));
    const auto written =
        WriteTextFileAtomically((fs::path(made->Path()) / kSource).string(), source);
    if (!written) return tl::unexpected<Error>(CannotKeep(directory_, written.error().message));
    // What has appeared meanwhile is another process's, and as good.
    if (const auto done = made->Commit(); done) RemoveOld(source, entry);
  }
  HW_TRY(std::string kept, Find(source, key));
  if (!kept.empty()) return kept;
  return tl::unexpected<Error>(
      CannotKeep(directory_, made ? "it could not be given its name" : made.error().message));
}

void CompiledCache::RemoveOld(const std::string& source, const std::string& kept) const {
  const std::string of_source = ShortDigest(source) + "-";
  const auto names = NamesIn(directory_);
  if (!names) return;
  for (const std::string& name : *names) {
    const fs::path path = fs::path(directory_) / name;
    const std::string program = SourceOfCompiled(path.string());
    if (program.empty() || path == kept) continue;
    std::error_code ignored;  // what cannot be removed or asked for stays
    if (name.starts_with(of_source) ||
        fs::status(program, ignored).type() == fs::file_type::not_found)
      RemoveTree(path.string());
  }
}

std::string SourceOfCompiled(const std::string& path) {
  std::error_code error;
  if (path.find(".partial-") != std::string::npos || !fs::exists(fs::path(path) / kProgram, error))
    return {};
  return ReadTextFile((fs::path(path) / kSource).string(), kLongestPath).value_or("");
}

}  // namespace headway
