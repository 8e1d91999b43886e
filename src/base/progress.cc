#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/quoted.h"

namespace headway {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

double Seconds(steady_clock::time_point from, steady_clock::time_point to) {
  return duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(std::string label, uint64_t total, bool enabled, bool fresh_line,
                   ProgressListener listener)
    : label_(std::move(label)),
      total_(total),
      enabled_(enabled),
      terminal_(::isatty(2) != 0),
      fresh_line_(fresh_line),
      listener_(std::move(listener)),
      start_(steady_clock::now()),
      last_draw_(start_) {}

Progress::~Progress() {
  if (!drawn_) return;
  const std::string line =
      fmt::format("{}: done in {:.1f} s", label_, Seconds(start_, steady_clock::now()));
  std::fprintf(stderr, terminal_ ? "\r\033[K%s\n" : "%s\n", Printable(line).c_str());
}

// By the pace since the first update, since what comes before it is preparation. Nothing while there
// is too little to judge by.
std::string Progress::TimeLeft(uint64_t done, steady_clock::time_point now) const {
  const double seconds = Seconds(first_update_, now);
  if (done <= first_done_ || done > total_ || seconds < 0.5) return "";
  const auto progress = static_cast<double>(done - first_done_);
  return fmt::format("  {:.0f} s left", seconds * static_cast<double>(total_ - done) / progress);
}

void Progress::Tell(uint64_t done) {
  const auto total = static_cast<int64_t>(total_);
  const int64_t reached = std::min(static_cast<int64_t>(done), total);
  const int64_t hundredths =
      total == 0
          ? 100
          : static_cast<int64_t>(100.0 * static_cast<double>(reached) / static_cast<double>(total));
  if (hundredths <= told_hundredths_) return;
  told_hundredths_ = hundredths;
  listener_(label_.c_str(), reached, total);
}

void Progress::Update(uint64_t done, const std::string& detail) {
  if (listener_) Tell(done);
  if (!enabled_) return;
  const auto now = steady_clock::now();
  const double elapsed = Seconds(start_, now);
  if (!updated_) {
    updated_ = true;
    first_done_ = done;
    first_update_ = now;
  }
  if (elapsed < 1.0 || (drawn_ && Seconds(last_draw_, now) < 0.2)) return;
  if (drawn_ && !terminal_) return;
  last_draw_ = now;
  if (terminal_ && fresh_line_ && !drawn_) std::fputc('\n', stderr);
  drawn_ = true;
  const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 0.0;
  const std::string line =
      fmt::format("{}: {:3.0f} %{}  {}", label_, 100.0 * share, TimeLeft(done, now), detail);
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", Printable(line).c_str());
  std::fflush(stderr);
}

}  // namespace headway
