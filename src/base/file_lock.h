#pragma once

// A lock between processes: a file that its holder removes. The system lets go of the lock when a
// process dies; the file that is left then is in nobody's way.

#include <string>
#include <utility>

#include "base/result.h"

namespace headway {

class FileLock {
 public:
  // Does not wait: IsHeld() tells whether another process was first. Errors: kIo (the file cannot
  // be made).
  static Result<FileLock> TryTake(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  bool IsHeld() const { return fd_ >= 0; }

 private:
  FileLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

}  // namespace headway
