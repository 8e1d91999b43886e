#include "tokenizer/stream_decoder.h"

#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace headway::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string StreamDecoder::Push(int32_t id) {
  tokenizer_->AppendText(id, false, &at_start_, &pending_);
  std::string_view rest = pending_;
  std::string text;
  while (!rest.empty()) {
    const size_t valid = Utf8ValidPrefixBytes(rest);
    text += rest.substr(0, valid);
    rest.remove_prefix(valid);
    if (rest.empty() || Utf8IsIncomplete(rest)) break;
    text += kReplacement;
    rest.remove_prefix(Utf8IllFormedBytes(rest));
  }
  pending_ = std::string(rest);
  return text;
}

std::string StreamDecoder::Finish() {
  return std::exchange(pending_, std::string()).empty() ? std::string() : std::string(kReplacement);
}

}  // namespace headway::tokenizer
