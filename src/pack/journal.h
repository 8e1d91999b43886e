#pragma once

// The journal of a package under construction: what was asked for and which shards are done. A pack
// that was killed is picked up by the next one with the same request: finished shards are compared
// with their digests and kept. The journal is locked while its writer lives and is not part of the
// package.

#include <map>
#include <optional>
#include <string>

#include "base/file_writer.h"
#include "base/result.h"
#include "manifest/manifest.h"

namespace headway::pack {

class Journal {
 public:
  Journal() = default;
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;
  ~Journal();

  // The finished file of that name, when its contents still are what was written.
  std::optional<FileEntry> Finished(const std::string& name) const;
  // Notes that `file` (path: its name) is complete. Errors: kIo.
  Result<void> Add(const FileEntry& file);
  // Removes the journal; nothing may be added any more.
  void Remove();

 private:
  friend struct Construction;
  friend Result<struct Construction> OpenConstruction(const std::string& target, bool replace,
                                                      const std::string& request);
  Journal(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}

  int fd_ = -1;
  std::string directory_;
  std::map<std::string, FileEntry> finished_;  // by name
};

struct Construction {
  AtomicDirectory directory;
  Journal journal;
};

// Begins the directory `target`, or goes on where a writer with the same `request` (one line) was
// killed. What dead writers left for other requests is removed. Errors: as AtomicDirectory.
Result<Construction> OpenConstruction(const std::string& target, bool replace,
                                      const std::string& request);

}  // namespace headway::pack
