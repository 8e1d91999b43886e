#include "manifest/head_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace headway {
namespace {

// Shards of the rows of a certified head that shares none with a full head.
constexpr int64_t kCertifiedShards = 4;

struct FormRow {
  HeadForm form;
  std::string_view name;
  std::string_view number;  // how a message writes what follows the name
};
constexpr std::array<FormRow, 6> kForms = {{{HeadForm::kFull, "full", ":N"},
                                            {HeadForm::kTop1, "top1", ":N"},
                                            {HeadForm::kBlockMax, "blockmax", ":N"},
                                            {HeadForm::kTop1F16, "top1-fp16", ":N"},
                                            {HeadForm::kCertified, "certified", ""},
                                            {HeadForm::kReduced, "reduced", ":K"}}};

}  // namespace

std::string_view NameOf(HeadForm form) { return kForms[static_cast<size_t>(form)].name; }

Result<HeadKind> ParseHeadKind(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  int64_t number = 1;
  if (colon != std::string::npos) {
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error != std::errc{} || stop != end) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("head '{}': expected KIND:N with a number N, for example full:4", text));
    }
  }
  if (text == kAutoHead) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("head '{}': expected it alone, or kinds such as full:4 and certified", text));
  }
  if (name == "routed") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("head '{}': not built, since clusters of rows exclude less than they "
                            "cost (docs/certified_head.md); expected certified, which is as exact",
                            text));
  }
  const auto* const row = std::find_if(kForms.begin(), kForms.end(),
                                       [&](const FormRow& known) { return known.name == name; });
  if (row == kForms.end()) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "head '{}': expected auto, full:N with N from 1 to 64, certified, reduced:K, top1:N or "
            "blockmax:N, found an unknown kind",
            text));
  }
  if (row->form == HeadForm::kCertified && colon != std::string::npos) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head '{}': expected certified without a number", text));
  }
  if (row->form == HeadForm::kReduced && (colon == std::string::npos || number < 1)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head '{}': expected reduced:K with the number K of rows computed "
                            "first, for example reduced:2048",
                            text));
  }
  HeadKind kind{.form = row->form, .num_shards = number};
  if (kind.HasPlanes()) kind.num_shards = kCertifiedShards;
  if (kind.form == HeadForm::kReduced) kind.first_rows = number;
  return kind;
}

std::string KindText(const HeadKind& kind) {
  if (kind.form == HeadForm::kCertified) return std::string(NameOf(kind.form));
  const bool reduced = kind.form == HeadForm::kReduced;
  return fmt::format("{}:{}", NameOf(kind.form), reduced ? kind.first_rows : kind.num_shards);
}

Result<void> CheckHeadKind(const std::string& text, const HeadKind& kind, std::string_view device,
                           std::span<const HeadForm> available) {
  std::string names;
  for (const HeadForm form : available) {
    if (form == kind.form) return {};
    names += fmt::format("{}{}{}", names.empty() ? "" : ", ", NameOf(form),
                         kForms[static_cast<size_t>(form)].number);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("head '{}': this kind is not available on the device {} (available: {})",
                          text, device, names));
}

Result<std::string> CanonicalHeadKind(const std::string& text) {
  HW_TRY(const HeadKind kind, ParseHeadKind(text));
  return KindText(kind);
}

}  // namespace headway
