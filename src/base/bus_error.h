#pragma once

// What a process says when a page of a mapped file cannot be read: the file was truncated while it
// was in use, or its disk failed. Without this the system ends it with SIGBUS and no word.

#include <cstddef>
#include <string>

namespace headway {

// For programs, not for the library: from now on such a read prints file and offset on stderr and
// ends the process with status 2. Other faults end it as before.
void ReportBusErrors();

// One mapping, known to the handler while this object lives.
class WatchedMapping {
 public:
  WatchedMapping() = default;
  WatchedMapping(const void* begin, size_t size_bytes, const std::string& path);
  WatchedMapping(WatchedMapping&& other) noexcept;
  WatchedMapping& operator=(WatchedMapping&& other) noexcept;
  ~WatchedMapping();

 private:
  int slot_ = -1;  // none: too many mappings at once; a fault in this one is not named
};

}  // namespace headway
