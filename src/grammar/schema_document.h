#pragma once

// A schema's text with everything that its parts refer to each other by: places, base URIs,
// anchors; and which keywords its draft has.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/json_value.h"

namespace headway::grammar {

class SchemaDocument {
 public:
  // Errors: kUnsupported, for an unknown "$schema".
  static Result<std::unique_ptr<SchemaDocument>> Create(JsonValue root);
  SchemaDocument(const SchemaDocument&) = delete;
  SchemaDocument& operator=(const SchemaDocument&) = delete;

  const JsonValue& Root() const { return root_; }
  // The value of a keyword that the draft knows, or null. Up to draft 7 a schema with "$ref" has no
  // other.
  const JsonValue* Keyword(const JsonValue& schema, std::string_view name) const;
  // In 2020-12 items that match "contains" count as evaluated.
  bool ContainsEvaluates() const { return draft_ >= Draft::k2020; }

  // The schema that `reference` in `from` means. Errors: kUnsupported, outside this document.
  Result<const JsonValue*> Resolve(const JsonValue& from, const std::string& reference);
  // The same for "$dynamicRef", where the whole document has one such anchor only.
  Result<const JsonValue*> ResolveDynamic(const JsonValue& from, const std::string& reference);

  // "#/properties/a" for any value in the document.
  std::string PlaceOf(const JsonValue& value) const;

 private:
  enum class Draft { k7, k2019, k2020, kUnspecified };
  struct Entry {
    const JsonValue* parent = nullptr;
    std::string step;  // escaped for a pointer
    int base = 0;      // in bases_
  };

  explicit SchemaDocument(JsonValue root) : root_(std::move(root)) {}
  Result<void> ReadDraft();
  void IndexSchema(const JsonValue& schema, int base);
  void IndexParts(const JsonValue& value, int base, bool are_schemas);
  const JsonValue* Walk(const JsonValue* at, std::string_view pointer);

  const JsonValue root_;
  Draft draft_ = Draft::kUnspecified;
  std::unordered_map<const JsonValue*, Entry> entries_;
  std::vector<std::string> bases_;
  std::unordered_map<std::string, const JsonValue*> resources_;  // by URI
  std::unordered_map<std::string, const JsonValue*> anchors_;    // by URI#name
  std::unordered_map<std::string, int> dynamic_anchors_;         // how many of a name
};

}  // namespace headway::grammar
