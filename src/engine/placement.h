#pragma once

// Where the parts of a model run, when that is not in this process alone: asked while a package is
// opened. The engine knows this interface; src/distributed/ has the only kind there is.

#include <memory>
#include <string>

#include "base/result.h"
#include "device/device.h"
#include "manifest/manifest.h"

namespace headway {

class Placement {
 public:
  virtual ~Placement() = default;
  // The loader of the package `directory` with the head `head`: in place of the device's own. Its
  // shards look as they always do, wherever they run. Errors: those of Device::new_loader;
  // kInvalidInput, kNotFound, kCorrupt, kIo (what is wrong with the other processes' parts).
  virtual Result<std::unique_ptr<ShardLoader>> NewLoader(const Device& device,
                                                         const LoaderOptions& options,
                                                         const std::string& directory,
                                                         const Manifest& manifest,
                                                         const HeadSpec& head) = 0;
  // Whether this process uses the contents of a file, and so must find out whether it is damaged.
  virtual bool Reads(const FileEntry& file) const = 0;
};

}  // namespace headway
