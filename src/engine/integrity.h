#pragma once

// Whether a package's files are what was written: read once in the background, beside the first
// steps, and compared block by block. Opening checks sizes alone; a damaged weight gives other
// tokens, so nobody may call a result good before this is done.

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file_tree.h"
#include "base/result.h"
#include "engine/placement.h"
#include "manifest/manifest.h"

namespace headway {

class IntegrityCheck {
 public:
  // The files that a run with `head` reads: not those of other heads, nor goldens, nor, with a
  // placement, those that other processes read. Where no thread can be started, reads them before it
  // returns.
  IntegrityCheck(const std::string& directory, const Manifest& manifest, const HeadSpec& head,
                 const Placement* placement_or_null = nullptr);
  IntegrityCheck(const IntegrityCheck&) = delete;
  IntegrityCheck& operator=(const IntegrityCheck&) = delete;
  ~IntegrityCheck();  // stops reading

  // What is known now; costs a look at a flag while nothing is wrong. Errors: kCorrupt, naming file
  // and block; kIo, kNotFound (a file that has gone). Any thread.
  Result<void> SoFar() const;
  // Waits until everything was read. Errors: as SoFar(). Any thread.
  Result<void> Wait() const;

 private:
  void Read();

  std::vector<std::pair<std::string, TreeDigest>> files_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> done_{false};
  Error error_;  // written before failed_ and done_
  std::thread thread_;
};

}  // namespace headway
