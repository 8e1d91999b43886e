#include "base/cache_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace headway {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

// No shared place such as /tmp as a last resort: anybody could put a package there beforehand.
Result<std::string> CacheDirectory(const std::string& named) {
  if (!named.empty()) return named;
  if (std::string path = Environment("HEADWAY_CACHE"); !path.empty()) return path;
  if (const std::string path = Environment("XDG_CACHE_HOME"); !path.empty())
    return path + "/headway";
  if (const std::string path = Environment("HOME"); !path.empty()) return path + "/.cache/headway";
  return Fail(ErrorCode::kNotFound,
              "cache: expected one of HEADWAY_CACHE, XDG_CACHE_HOME and HOME to say where packages "
              "made from GGUF files go, found none set");
}

void MakeCacheDirectory(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (fs::create_directory(path, error))
    fs::permissions(path, fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove, error);
}

Result<void> CheckOwner(const std::string& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return {};  // what is wrong with it, opening says
  const uid_t me = ::geteuid();
  if (found.st_uid != me && found.st_uid != 0) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("cache: {}: expected a directory of this user's (number {}), found one of "
                    "another (number {}); set HEADWAY_CACHE to one of your own",
                    directory, me, found.st_uid));
  }
  if ((found.st_mode & (S_IWOTH | S_IWGRP)) == 0) return {};
  const bool all = (found.st_mode & S_IWOTH) != 0;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("cache: {}: expected a directory that others cannot write to, found one "
                          "that {} can; chmod {}-w it, or set HEADWAY_CACHE to another",
                          directory, all ? "everybody" : "its group", all ? "go" : "g"));
}

}  // namespace headway
