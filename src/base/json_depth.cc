#include "base/json_depth.h"

#include <fmt/format.h>

namespace headway {

bool NestsDeeper(std::string_view text, size_t most) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > most) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Result<void> CheckJsonDepth(std::string_view text, std::string_view where, ErrorCode code) {
  if (!NestsDeeper(text)) return {};
  return Fail(
      code, fmt::format("{}: expected JSON of at most {} levels, found more", where, kDeepestJson));
}

}  // namespace headway
