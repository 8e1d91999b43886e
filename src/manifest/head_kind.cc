#include "manifest/head_kind.h"

#include <fmt/format.h>

#include <charconv>

namespace headway::compile {
namespace {

// Shards of the rows of a certified head that shares none with a full head.
constexpr int64_t kCertifiedShards = 4;

}  // namespace

Result<HeadKind> ParseHeadKind(const std::string& text) {
  const size_t colon = text.find(':');
  HeadKind kind{.name = text.substr(0, colon), .num_shards = 1};
  if (colon != std::string::npos) {
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, kind.num_shards);
    if (error != std::errc{} || stop != end) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("head '{}': expected KIND:N with a number N, for example full:4", text));
    }
  }
  if (kind.name == "certified" && colon == std::string::npos) {
    kind.num_shards = kCertifiedShards;
    return kind;
  }
  if (kind.name == "certified") {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head '{}': expected certified without a number", text));
  }
  if (kind.name == "reduced") {
    if (colon == std::string::npos || kind.num_shards < 1) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("head '{}': expected reduced:K with the number K of rows computed "
                              "first, for example reduced:2048",
                              text));
    }
    kind.first_rows = kind.num_shards;
    kind.num_shards = kCertifiedShards;
    return kind;
  }
  if (kind.name == "routed") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("head '{}': not built, since clusters of rows exclude less than they "
                            "cost (docs/certified_head.md); expected certified, which is as exact",
                            text));
  }
  for (const char* known : {"full", "top1", "blockmax", "top1-fp16"}) {
    if (kind.name == known) return kind;
  }
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("head '{}': expected full:N with N from 1 to 64, certified, reduced:K, top1:N or "
                  "blockmax:N, found an unknown kind",
                  text));
}

std::string KindText(const HeadKind& kind) {
  if (kind.name == "certified") return kind.name;
  if (kind.name == "reduced") return fmt::format("reduced:{}", kind.first_rows);
  return fmt::format("{}:{}", kind.name, kind.num_shards);
}

Result<void> CheckHeadKind(const std::string& text, const HeadKind& kind, std::string_view device,
                           std::span<const std::string> available) {
  std::string names;
  for (const std::string& name : available) {
    if (name == kind.name) return {};
    const char* number = name == "certified" ? "" : name == "reduced" ? ":K" : ":N";
    names += fmt::format("{}{}{}", names.empty() ? "" : ", ", name, number);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("head '{}': this kind is not available on the device {} (available: {})",
                          text, device, names));
}

Result<std::string> CanonicalHeadKind(const std::string& text) {
  HW_TRY(const HeadKind kind, ParseHeadKind(text));
  return KindText(kind);
}

}  // namespace headway::compile
