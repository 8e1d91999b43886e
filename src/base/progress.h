#pragma once

// One line of progress on stderr for anything that takes longer than a second. Silent when stderr
// is not a terminal, apart from a start and an end line for long work, so that logs stay readable.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace headway {

// Who hears of progress besides: of `total` units, in the same words.
using ProgressListener = std::function<void(const char* work, int64_t done, int64_t total)>;

class Progress {
 public:
  // `label` names the work ("packing"); `total` its size in any unit. `fresh_line`: the terminal's
  // cursor stands in a line of text, which the first drawing must not overwrite. `listener` (may be
  // null) hears of each hundredth, whether or not anything is drawn.
  Progress(std::string label, uint64_t total, bool enabled, bool fresh_line = false,
           ProgressListener listener = nullptr);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // Says how much is done; redraws at most five times a second, and not at all during the first
  // second. The listener is called in the thread that calls this.
  void Update(uint64_t done, const std::string& detail = "");

 private:
  void Tell(uint64_t done);
  std::string TimeLeft(uint64_t done, std::chrono::steady_clock::time_point now) const;

  std::string label_;
  uint64_t total_;
  bool enabled_;
  bool terminal_;
  bool fresh_line_;
  ProgressListener listener_;
  int64_t told_hundredths_ = -1;
  bool drawn_ = false;
  bool updated_ = false;
  uint64_t first_done_ = 0;
  std::chrono::steady_clock::time_point first_update_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
};

}  // namespace headway
