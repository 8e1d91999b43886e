#pragma once

// Finds stop strings in text that arrives in pieces, and holds back what could be the beginning of
// one.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headway {

class StopMatcher {
 public:
  // None of them is empty.
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // The text goes on with `text`; returns what is certain not to be part of a stop string. After one
  // was found: nothing.
  std::string Push(std::string_view text);
  // No more text comes: what was held back.
  std::string Finish();
  // The stop string that is complete first; of several that end there the longest.
  const std::optional<std::string>& Found() const { return found_; }

 private:
  const std::vector<std::string> stops_;
  std::string pending_;
  std::optional<std::string> found_;
};

}  // namespace headway
