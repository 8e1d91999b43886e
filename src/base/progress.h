#pragma once

// One line of progress on stderr for anything that takes longer than a second. Silent when stderr
// is not a terminal, apart from a start and an end line for long work, so that logs stay readable.

#include <chrono>
#include <cstdint>
#include <string>

namespace headway {

class Progress {
 public:
  // `label` names the work ("packing"); `total` its size in any unit. `fresh_line`: the terminal's
  // cursor stands in a line of text, which the first drawing must not overwrite.
  Progress(std::string label, uint64_t total, bool enabled, bool fresh_line = false);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // Says how much is done; redraws at most five times a second, and not at all during the first
  // second.
  void Update(uint64_t done, const std::string& detail = "");

 private:
  std::string TimeLeft(uint64_t done, std::chrono::steady_clock::time_point now) const;

  std::string label_;
  uint64_t total_;
  bool enabled_;
  bool terminal_;
  bool fresh_line_;
  bool drawn_ = false;
  bool updated_ = false;
  uint64_t first_done_ = 0;
  std::chrono::steady_clock::time_point first_update_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
};

}  // namespace headway
