#pragma once

// A lock between processes: a file that stays, locked as long as its holder lives. The system lets
// go of it when a process dies.

#include <string>

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
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace headway
