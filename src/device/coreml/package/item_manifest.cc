#include "device/coreml/package/item_manifest.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "base/digest.h"
#include "base/json_depth.h"

namespace headway::mil {
namespace {

using nlohmann::json;

constexpr std::string_view kAuthor = "com.apple.CoreML";

tl::unexpected<Error> Bad(const std::string& message) {
  return Fail(ErrorCode::kCorrupt, "Manifest.json: " + message);
}

Result<std::string> RequiredString(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return Bad(fmt::format("{}: key '{}' is missing", where, key));
  if (!found->is_string()) {
    return Bad(
        fmt::format("{}: key '{}': expected a string, found {}", where, key, found->type_name()));
  }
  return found->get<std::string>();
}

// Three non-negative numbers, at most 1.0.0.
Result<void> CheckVersion(const std::string& version) {
  std::array<unsigned, 3> parts{};
  const char* at = version.data();
  const char* const end = version.data() + version.size();
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, parts[i]);
    const bool last = i + 1 == parts.size();
    if (error != std::errc() || (last ? next != end : next == end || *next != '.')) {
      return Bad(fmt::format("fileFormatVersion: expected three numbers, found '{}'", version));
    }
    at = last ? next : next + 1;
  }
  if (parts > std::array<unsigned, 3>{1, 0, 0}) {
    return Bad(fmt::format("fileFormatVersion: expected at most 1.0.0, found '{}'", version));
  }
  return {};
}

// A relative path whose parts are plain names: a package must not name files outside itself.
bool StaysInside(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos)
    return false;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return true;
}

Result<PackageItem> ParseItem(const std::string& identifier, const json& object) {
  const std::string where = fmt::format("item '{}'", identifier);
  if (!object.is_object())
    return Bad(fmt::format("{}: expected an object, found {}", where, object.type_name()));
  PackageItem item;
  item.identifier = identifier;
  HW_TRY(item.path, RequiredString(object, "path", where));
  HW_TRY(item.name, RequiredString(object, "name", where));
  HW_TRY(item.author, RequiredString(object, "author", where));
  HW_TRY(item.description, RequiredString(object, "description", where));
  if (!StaysInside(item.path)) {
    return Bad(fmt::format("{}: expected a path inside the package, found '{}'", where, item.path));
  }
  return item;
}

PackageItem MakeItem(const std::string& name, const std::string& description) {
  PackageItem item;
  item.name = name;
  item.author = kAuthor;
  item.path = item.author + "/" + name;
  item.description = description;
  const std::string hex = DigestHex(std::as_bytes(std::span<const char>(item.path)));
  item.identifier = fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                                hex.substr(12, 4), hex.substr(16, 4), hex.substr(20, 12));
  return item;
}

}  // namespace

const PackageItem* ItemManifest::Find(std::string_view identifier) const {
  for (const PackageItem& item : items) {
    if (item.identifier == identifier) return &item;
  }
  return nullptr;
}

Result<ItemManifest> ParseItemManifest(std::string_view text) {
  if (NestsDeeper(text))
    return Bad(fmt::format("expected at most {} levels, found more", kDeepestJson));
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return Bad(root.is_discarded() ? "expected JSON, found something that does not parse"
                                   : fmt::format("expected an object, found {}", root.type_name()));
  }
  HW_TRY(const std::string version, RequiredString(root, "fileFormatVersion", "top level"));
  HW_TRY_VOID(CheckVersion(version));
  ItemManifest manifest;
  HW_TRY(manifest.root_identifier, RequiredString(root, "rootModelIdentifier", "top level"));
  const auto entries = root.find("itemInfoEntries");
  if (entries == root.end() || !entries->is_object())
    return Bad("top level: key 'itemInfoEntries': expected an object");
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& [identifier, object] : entries->items()) {
    HW_TRY(PackageItem item, ParseItem(identifier, object));
    if (!seen.emplace(item.author, item.name).second) {
      return Bad(fmt::format("two items have author '{}' and name '{}'", item.author, item.name));
    }
    manifest.items.push_back(std::move(item));
  }
  if (manifest.Root() == nullptr) {
    return Bad(fmt::format("rootModelIdentifier: expected one of the {} items, found '{}'",
                           manifest.items.size(), manifest.root_identifier));
  }
  return manifest;
}

std::string FormatItemManifest(const ItemManifest& manifest) {
  json entries = json::object();
  for (const PackageItem& item : manifest.items) {
    entries[item.identifier] = {{"author", item.author},
                                {"description", item.description},
                                {"name", item.name},
                                {"path", item.path}};
  }
  const json root = {{"fileFormatVersion", "1.0.0"},
                     {"itemInfoEntries", entries},
                     {"rootModelIdentifier", manifest.root_identifier}};
  return root.dump(4, ' ', false, json::error_handler_t::replace) + "\n";
}

ItemManifest MakeItemManifest(bool has_weights) {
  ItemManifest manifest;
  manifest.items.push_back(MakeItem("model.mlmodel", "CoreML Model Specification"));
  manifest.root_identifier = manifest.items.front().identifier;
  if (has_weights) manifest.items.push_back(MakeItem("weights", "CoreML Model Weights"));
  return manifest;
}

}  // namespace headway::mil
