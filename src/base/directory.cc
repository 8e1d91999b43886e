#include "base/directory.h"

#include <dirent.h>
#include <fmt/format.h>
#include <ftw.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

namespace headway {
namespace {

struct CloseDirectory {
  void operator()(DIR* open) const { ::closedir(open); }
};

// The first error of the tree that this thread removes; nftw() hands nothing else to its callback.
thread_local int first_error = 0;

int RemoveEntry(const char* path, const struct stat* /*status*/, int /*kind*/, FTW* /*place*/) {
  if (std::remove(path) != 0 && errno != ENOENT && first_error == 0) first_error = errno;
  return 0;
}

}  // namespace

Result<std::vector<std::string>> NamesIn(const std::string& directory) {
  const auto failed = [&](int error) {
    return Fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{}: cannot read: {}", directory,
                            std::error_code(error, std::generic_category()).message()));
  };
  const std::unique_ptr<DIR, CloseDirectory> open(::opendir(directory.c_str()));
  if (open == nullptr) return failed(errno);
  std::vector<std::string> names;
  errno = 0;
  // Not shared with other threads, so that the plain function will do.
  while (const dirent* entry = ::readdir(open.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return failed(errno);
  std::sort(names.begin(), names.end());
  return names;
}

std::error_code RemoveTree(const std::string& path) noexcept {
  constexpr int kMostOpen = 16;  // directories at once; deeper ones are opened again
  first_error = 0;
  const int walked = ::nftw(path.c_str(), RemoveEntry, kMostOpen, FTW_DEPTH | FTW_PHYS);
  const int error = walked != 0 && errno != ENOENT ? errno : first_error;
  return {error, std::generic_category()};
}

}  // namespace headway
