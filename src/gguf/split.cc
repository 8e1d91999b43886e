#include "gguf/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"

namespace headway::gguf {
namespace {

constexpr std::string_view kSplitEnd = ".gguf";
constexpr std::string_view kSplitMiddle = "-of-";
constexpr size_t kSplitDigits = 5;

// Five digits at the end of *text, which are cut off together with `before`.
std::optional<uint32_t> TakeNumber(std::string_view before, std::string_view* text) {
  if (text->size() < before.size() + kSplitDigits) return std::nullopt;
  const std::string_view digits = text->substr(text->size() - kSplitDigits);
  uint32_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = 10 * number + static_cast<uint32_t>(c - '0');
  }
  text->remove_suffix(kSplitDigits);
  if (!text->ends_with(before)) return std::nullopt;
  text->remove_suffix(before.size());
  return number;
}

tl::unexpected<Error> PartError(ErrorCode code, const std::string& path, std::string_view problem) {
  return Fail(code, fmt::format("gguf: {}: {}", path, problem));
}

std::string PartText(const SplitKeys& keys) {
  return fmt::format("part {} of {} of a model of {} tensors", keys.index + 1, keys.count,
                     keys.tensors);
}

// A later part repeats nothing of the model, or the same.
Result<void> CheckSameModel(const GgufFile& part, const GgufFile& first) {
  for (const MetadataEntry& entry : part.Metadata()) {
    if (entry.key.starts_with("split.") || entry.key == "general.alignment") continue;
    const Value* const same = first.Find(entry.key);
    if (same != nullptr && same->type == entry.value.type &&
        same->element_type == entry.value.element_type &&
        std::equal(same->bytes.begin(), same->bytes.end(), entry.value.bytes.begin(),
                   entry.value.bytes.end()))
      continue;
    return PartError(ErrorCode::kInvalidInput, part.Path(),
                     fmt::format("key {} is not as in {}: parts of different models",
                                 Quoted(entry.key), first.Path()));
  }
  return {};
}

}  // namespace

std::optional<SplitName> ParseSplitName(std::string_view path) {
  if (!path.ends_with(kSplitEnd)) return std::nullopt;
  path.remove_suffix(kSplitEnd.size());
  const auto count = TakeNumber(kSplitMiddle, &path);
  if (!count) return std::nullopt;
  const auto number = TakeNumber("-", &path);
  if (!number || *number < 1 || *number > *count) return std::nullopt;
  return SplitName{.stem = std::string(path), .number = *number, .count = *count};
}

std::string SplitPath(std::string_view stem, uint32_t number, uint32_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count);
}

Result<std::optional<SplitKeys>> SplitKeysOf(const GgufFile& file) {
  HW_TRY(const uint32_t count, file.GetU32Or("split.count", 0));
  if (count <= 1) return std::optional<SplitKeys>();
  HW_TRY(const uint32_t index, file.GetU32("split.no"));
  HW_TRY(const uint32_t tensors, file.GetU32("split.tensors.count"));
  if (index >= count || count > kMaxParts) {
    return PartError(ErrorCode::kInvalidInput, file.Path(),
                     fmt::format("split.no {} of split.count {} (expected one below the other, of "
                                 "at most {} parts)",
                                 index, count, kMaxParts));
  }
  return std::optional<SplitKeys>({.index = index, .count = count, .tensors = tensors});
}

void AddSplitKeys(const SplitKeys& keys, GgufWriter* writer) {
  writer->AddU16("split.no", static_cast<uint16_t>(keys.index));
  writer->AddU16("split.count", static_cast<uint16_t>(keys.count));
  writer->AddI32("split.tensors.count", static_cast<int32_t>(keys.tensors));
}

Result<GgufFile> GgufFile::OpenParts(GgufFile opened) {
  HW_TRY(const auto keys, SplitKeysOf(opened));
  if (!keys) return opened;
  const auto name = ParseSplitName(opened.Path());
  if (!name || name->number != keys->index + 1 || name->count != keys->count) {
    return PartError(ErrorCode::kInvalidInput, opened.Path(),
                     fmt::format("{}: expected a name that ends in {}, by which the other parts "
                                 "are found",
                                 PartText(*keys), SplitPath("", keys->index + 1, keys->count)));
  }
  const std::string asked = opened.Path();
  std::optional<GgufFile> joined;
  for (uint32_t index = 0; index < keys->count; ++index) {
    GgufFile part;
    if (index == keys->index) {
      part = std::move(opened);  // NOLINT(bugprone-use-after-move): once only
    } else {
      const std::string path = SplitPath(name->stem, index + 1, keys->count);
      auto other = OpenOne(path);
      if (!other && other.error().code == ErrorCode::kNotFound) {
        return PartError(
            ErrorCode::kNotFound, asked,
            fmt::format("{}: part {} is missing (expected {})", PartText(*keys), index + 1, path));
      }
      HW_TRY(part, std::move(other));
      SplitKeys expected = *keys;
      expected.index = index;
      HW_TRY(const auto found, SplitKeysOf(part));
      if (!found || found->index != index || found->count != keys->count ||
          found->tensors != keys->tensors) {
        return PartError(ErrorCode::kInvalidInput, path,
                         fmt::format("expected {}, as {} has it, found {}", PartText(expected),
                                     asked, found ? PartText(*found) : "a whole model"));
      }
    }
    if (!joined) {
      joined = std::move(part);
    } else {
      HW_TRY_VOID(CheckSameModel(part, *joined));
      HW_TRY_VOID(joined->Append(std::move(part)));
    }
  }
  if (joined->Tensors().size() != keys->tensors) {
    return PartError(ErrorCode::kInvalidInput, joined->Path(),
                     fmt::format("{} parts with {} tensors: expected {} (split.tensors.count)",
                                 keys->count, joined->Tensors().size(), keys->tensors));
  }
  return *std::move(joined);
}

Result<void> GgufFile::Append(GgufFile part) {
  for (TensorInfo& tensor : part.directory_.tensors) {
    tensor.part = parts_.size();
    const auto [found, is_new] =
        directory_.tensor_index.emplace(tensor.name, directory_.tensors.size());
    if (!is_new) {
      return PartError(
          ErrorCode::kInvalidInput, part.Path(),
          fmt::format("tensor {} is in {} already: parts of different models", Quoted(tensor.name),
                      parts_[directory_.tensors[found->second].part].path));
    }
    directory_.tensors.push_back(tensor);
  }
  parts_.push_back(std::move(part.parts_.front()));
  return {};
}

Result<std::vector<std::string>> PartPaths(const std::string& path) {
  if (!ParseSplitName(path)) return std::vector<std::string>{path};
  HW_TRY(const GgufFile file, GgufFile::Open(path));
  std::vector<std::string> paths;
  for (size_t part = 0; part < file.NumParts(); ++part) paths.push_back(file.PartPath(part));
  return paths;
}

std::string JoinDigests(std::span<const std::string> digests) {
  if (digests.size() == 1) return digests.front();
  std::string text;
  for (const std::string& digest : digests) text += digest + "\n";
  return DigestHex(std::as_bytes(std::span<const char>(text)));
}

Result<std::string> ModelDigestHex(const std::string& path) {
  HW_TRY(const std::vector<std::string> paths, PartPaths(path));
  std::vector<std::string> digests;
  for (const std::string& part : paths) {
    HW_TRY(std::string digest, FileDigestHex(part));
    digests.push_back(std::move(digest));
  }
  return JoinDigests(digests);
}

}  // namespace headway::gguf
