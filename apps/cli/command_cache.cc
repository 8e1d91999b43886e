// headway cache: where packages made from GGUF files are kept.

#include <fmt/format.h>

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
  HW_TRY(const std::string cache, pack::CacheDirectory(""));
  if (arguments.what == "path") return WriteOut(cache + "\n");
  if (arguments.what == "clean") {
    HW_TRY(const uint64_t bytes, pack::CleanCache(cache, arguments.names));
    return WriteOut(fmt::format("removed {} from {}\n", Megabytes(bytes), cache));
  }
  HW_TRY(const auto packages, pack::CachedPackages(cache));
  std::string text;
  uint64_t bytes = 0;
  for (const pack::CachedPackage& package : packages) {
    text += fmt::format("{:>12}  {}{}\n", Megabytes(package.bytes), package.name,
                        package.source.empty() ? "" : "  " + package.source);
    bytes += package.bytes;
  }
  text += fmt::format("{:>12}  in {} packages in {}\n", Megabytes(bytes), packages.size(), cache);
  return WriteOut(text);
}

}  // namespace headway::cli
