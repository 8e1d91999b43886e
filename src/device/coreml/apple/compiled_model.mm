#include "device/coreml/apple/compiled_model.h"

#import <CoreML/CoreML.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/digest.h"
#include "base/platform.h"
#include "device/coreml/apple/foundation.h"
#include "device/coreml/waiting.h"

namespace headway::coreml {
namespace {

namespace fs = std::filesystem;

Result<std::string> CacheDirectory() {
  fs::path directory;
  if (const char* asked = std::getenv("HEADWAY_COREML_CACHE"); asked != nullptr && *asked != 0) {
    directory = asked;
  } else {
    NSArray<NSString*>* const found =
        NSSearchPathForDirectoriesInDomains(NSCachesDirectory, NSUserDomainMask, YES);
    if ([found count] == 0) {
      return Fail(ErrorCode::kIo,
                  "Core ML: expected a directory for caches, found none; name one in "
                  "HEADWAY_COREML_CACHE");
    }
    directory = fs::path(FromNs([found objectAtIndex:0])) / "Headway" / "coreml";
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot make it: {}", directory.string(), error.message()));
  }
  return directory.string();
}

// One line a file: its path in the package, its size and when it was written.
Result<std::string> Fingerprint(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) return Fail(ErrorCode::kNotFound, fmt::format("{}: {}", path, error.message()));
  std::vector<std::string> lines;
  for (auto it = fs::recursive_directory_iterator(whole, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat status {};
    if (::stat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto written = fs::last_write_time(it->path(), error).time_since_epoch().count();
    lines.push_back(fmt::format("{} {} {}\n", fs::relative(it->path(), whole, error).string(),
                                static_cast<long long>(status.st_size),
                                static_cast<long long>(written)));
  }
  if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", path, error.message()));
  std::sort(lines.begin(), lines.end());
  std::string text =
      fmt::format("{}\n{}\n", whole.string(),
                  FromNs([[NSProcessInfo processInfo] operatingSystemVersionString]));
  for (const std::string& line : lines) text += line;
  return DigestHex(std::as_bytes(std::span(text)));
}

// Compiles to a place that Core ML chooses.
Result<std::string> Compile(const std::string& path) {
  const Waiting<std::string> compiled;
  void (^const finished)(NSURL*, NSError*) = ^(NSURL* url, NSError* error) {
    @autoreleasepool {
      if (url != nil) {
        compiled.Resolve(FromNs([url path]));
      } else {
        compiled.Resolve(CoreMlFailed("could not compile", error));
      }
    }
  };
  const Result<void> begun = Guarded("could not compile", [&]() -> Result<void> {
    [MLModel compileModelAtURL:FileUrl(path) completionHandler:finished];
    return {};
  });
  if (!begun) return tl::unexpected<Error>(begun.error());
  return compiled.Wait();
}

}  // namespace

Result<std::string> CompiledModel(const std::string& path) {
  @autoreleasepool {
    HW_TRY(const std::string directory, CacheDirectory());
    HW_TRY(const std::string digest, Fingerprint(path));
    const fs::path kept = fs::path(directory) / (digest + ".mlmodelc");
    std::error_code error;
    if (fs::exists(kept, error)) return kept.string();
    HW_TRY(const std::string compiled, Compile(path));
    if (platform::RenameToNew(compiled.c_str(), kept.c_str())) return kept.string();
    // Another process was first, whose model is as good, or the cache lies on another disk: then it
    // is copied beside its place.
    std::error_code ignored;
    if (!fs::exists(kept, ignored)) {
      const fs::path beside = kept.string() + fmt::format(".{}", static_cast<long>(::getpid()));
      fs::copy(compiled, beside, fs::copy_options::recursive, error);
      if (!error) platform::RenameToNew(beside.c_str(), kept.c_str());
      fs::remove_all(beside, ignored);
    }
    fs::remove_all(compiled, ignored);
    if (fs::exists(kept, ignored)) return kept.string();
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot keep it{}", kept.string(),
                                            error ? ": " + error.message() : ""));
  }
}

}  // namespace headway::coreml
