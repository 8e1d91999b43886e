#pragma once

// Manifest.json of an .mlpackage: which file is the model and which directory holds its weights.
// (Headway's own package has another manifest: src/manifest.)

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headway::mil {

struct PackageItem {
  std::string identifier;  // key of the item, unique
  std::string path;        // below Data/
  std::string name;
  std::string author;
  std::string description;
};

struct ItemManifest {
  std::vector<PackageItem> items;
  std::string root_identifier;  // of the model

  // The item `identifier`; null when there is none.
  const PackageItem* Find(std::string_view identifier) const;
  const PackageItem* Root() const { return Find(root_identifier); }
};

// Errors (kCorrupt): not a JSON object, a version above 1.0.0, a missing or mistyped key (named), a
// path that leaves the package, items with the same author and name, a root that is not an item.
Result<ItemManifest> ParseItemManifest(std::string_view json);

// Deterministic: items in the order of their identifiers, four spaces of indentation.
std::string FormatItemManifest(const ItemManifest& manifest);

// The manifest Headway writes; identifiers are digests of author and name, where Apple's tools draw
// random ones.
ItemManifest MakeItemManifest(bool has_weights);

}  // namespace headway::mil
