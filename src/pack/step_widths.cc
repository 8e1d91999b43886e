#include "pack/step_widths.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace headway::compile {

Result<std::vector<StepWidth>> ParseStepWidths(const std::string& text) {
  if (text.empty()) return std::vector<StepWidth>{StepWidth{}};
  std::vector<StepWidth> widths;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    const bool flexible = item.starts_with("1..");
    const std::string_view number = flexible ? item.substr(3) : item;
    StepWidth width{.tokens = 0, .flexible = flexible};
    const char* const stop = number.data() + number.size();
    const auto [parsed, error] = std::from_chars(number.data(), stop, width.tokens);
    const bool valid = error == std::errc{} && parsed == stop &&
                       width.tokens >= (flexible ? 2 : 1) && width.tokens <= kMaxStepTokens;
    if (!valid || std::find(widths.begin(), widths.end(), width) != widths.end()) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("--batch-tokens: expected different numbers from 1 to {}, or a range "
                              "like 1..4, found '{}'",
                              kMaxStepTokens, item));
    }
    widths.push_back(width);
  }
  return widths;
}

}  // namespace headway::compile
