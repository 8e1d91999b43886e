#include "speculation_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace headway::cli {
namespace {

constexpr std::string_view kLookupName = "lookup";
constexpr std::string_view kModelPrefix = "model:";

bool ParseCount(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc{} && end == text.data() + text.size();
}

// "lookup" or "lookup:2..4"
bool ParseLookup(std::string_view text, SpeculationParams* params) {
  if (text.substr(0, kLookupName.size()) != kLookupName) return false;
  text.remove_prefix(kLookupName.size());
  if (text.empty()) return true;
  const size_t dots = text.find("..");
  return text.front() == ':' && dots != std::string_view::npos &&
         ParseCount(text.substr(1, dots - 1), &params->min_ngram) &&
         ParseCount(text.substr(dots + 2), &params->max_ngram);
}

}  // namespace

Result<SpeculationRequest> ReadSpeculation(const RunArguments& arguments) {
  SpeculationRequest request;
  SpeculationParams& params = request.params;
  if (arguments.draft_tokens) {
    if (arguments.speculate.empty() && arguments.probe.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "--draft-tokens: expected --speculate or --probe beside it, found neither");
    }
    params.most_drafts = *arguments.draft_tokens;
  }
  if (!arguments.probe.empty()) {
    if (!arguments.speculate.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "--probe: expected no --speculate beside it, found one");
    }
    if (!ParseLookup(arguments.probe, &params)) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("--probe: expected lookup or lookup:MIN..MAX, found '{}'", arguments.probe));
    }
    params.probe_lookup = true;
  }
  if (arguments.speculate.empty()) return request;
  const std::string_view text = arguments.speculate;
  if (text.size() > kModelPrefix.size() && text.substr(0, kModelPrefix.size()) == kModelPrefix) {
    params.kind = Speculate::kDraftModel;
    request.draft_model = text.substr(kModelPrefix.size());
    return request;
  }
  if (!ParseLookup(text, &params)) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("--speculate: expected lookup, lookup:MIN..MAX or model:FILE, found '{}'",
                    text));
  }
  params.kind = Speculate::kLookup;
  return request;
}

}  // namespace headway::cli
