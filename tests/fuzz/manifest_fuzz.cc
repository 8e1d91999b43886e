// libFuzzer target: any JSON as a manifest whose own digest is right, and as an entry of a journal.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/check.h"
#include "base/digest.h"
#include "base/json_depth.h"
#include "engine/rotary_tables.h"
#include "manifest/manifest.h"

namespace {

using Json = nlohmann::ordered_json;

// The text with the digest that ParseManifestJson() expects; as it is where it is no object.
std::string WithDigest(const std::string& text) {
  if (headway::NestsDeeper(text)) return text;
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return text;
  json.erase("digest");
  const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  json["digest"] =
      headway::DigestHex(std::as_bytes(std::span<const char>(line.data(), line.size())));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  const std::string text(reinterpret_cast<const char*>(input), num_bytes);
  static_cast<void>(headway::FileEntryFromJsonLine(text).has_value());
  const auto manifest = headway::ManifestFromJson(WithDigest(text), "manifest.json");
  if (!manifest) return 0;
  const std::string written = headway::ToJson(*manifest);
  const auto again = headway::ManifestFromJson(written, "manifest.json");
  HW_CHECK(again && headway::ToJson(*again) == written, "a manifest that was read is written");
  // Sized and indexed by what the manifest says.
  if (manifest->model.rotary_dim > 1 << 16) return 0;
  headway::RotaryTables tables(manifest->model, 4);
  tables.Fill(3, 2, false, 0);
  tables.Fill(3, 2, true, 2);
  return 0;
}
