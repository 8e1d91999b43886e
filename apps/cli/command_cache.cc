// headway cache: where packages made from GGUF files are kept, and what the system compiled from programs.

#include <fmt/format.h>

#include "base/cache_directory.h"
#include "commands.h"
#include "output.h"
#include "pack/cache_contents.h"

namespace headway::cli {
namespace {

std::string Megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

Result<void> Run(const CacheArguments& arguments) {
  HW_TRY(const std::string cache, CacheDirectory(""));
  if (arguments.what == "path") return WriteOut(cache + "\n");
  if (arguments.what == "clean") {
    HW_TRY(const uint64_t bytes, pack::CleanCache(cache, arguments.names));
    return WriteOut(fmt::format("removed {} from {}\n", Megabytes(bytes), cache));
  }
  HW_TRY(const auto packages, pack::CachedPackages(cache));
  std::string text;
  uint64_t bytes = 0;
  size_t compiled = 0;
  for (const pack::CachedPackage& package : packages) {
    text += fmt::format("{:>12}  {}{}\n", Megabytes(package.bytes), package.name,
                        package.source.empty() ? "" : "  " + package.source);
    bytes += package.bytes;
    compiled += package.is_compiled ? 1 : 0;
  }
  text +=
      fmt::format("{:>12}  in {} packages{} in {}\n", Megabytes(bytes), packages.size() - compiled,
                  compiled == 0 ? "" : fmt::format(" and {} compiled programs", compiled), cache);
  return WriteOut(text);
}

}  // namespace headway::cli
