#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace headway {

std::string StopMatcher::Push(std::string_view text) {
  if (found_) return {};
  pending_ += text;
  size_t first = std::string::npos;
  size_t first_end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = pending_.find(stop);
    if (at == std::string::npos) continue;
    const size_t end = at + stop.size();
    if (end > first_end || (end == first_end && at >= first)) continue;
    first = at;
    first_end = end;
    found_ = stop;
  }
  if (found_) {
    std::string before = pending_.substr(0, first);
    pending_.clear();
    return before;
  }
  size_t held = 0;  // the longest end of the text with which a stop string begins
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, pending_.size()); length > held; --length) {
      if (pending_.compare(pending_.size() - length, length, stop, 0, length) == 0) held = length;
    }
  }
  std::string certain = pending_.substr(0, pending_.size() - held);
  pending_.erase(0, pending_.size() - held);
  return certain;
}

std::string StopMatcher::Finish() { return found_ ? std::string() : std::exchange(pending_, {}); }

}  // namespace headway
