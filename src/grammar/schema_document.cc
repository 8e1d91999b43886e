#include "grammar/schema_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "grammar/schema_errors.h"
#include "grammar/uri.h"

namespace headway::grammar {
namespace {

template <size_t kCount>
bool IsOneOf(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Keywords whose values are a schema, a list of schemas or schemas by name.
constexpr std::array<std::string_view, 20> kHoldSchemas = {"properties",
                                                           "patternProperties",
                                                           "$defs",
                                                           "definitions",
                                                           "dependentSchemas",
                                                           "dependencies",
                                                           "allOf",
                                                           "anyOf",
                                                           "oneOf",
                                                           "prefixItems",
                                                           "items",
                                                           "additionalItems",
                                                           "additionalProperties",
                                                           "contains",
                                                           "propertyNames",
                                                           "not",
                                                           "if",
                                                           "then",
                                                           "else",
                                                           "unevaluatedItems"};
constexpr std::array<std::string_view, 7> kSince2019 = {
    "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties",
    "minContains",       "maxContains",      "$anchor"};
constexpr std::array<std::string_view, 3> kSince2020 = {"prefixItems", "$dynamicRef",
                                                        "$dynamicAnchor"};

bool IsMapOfSchemas(std::string_view keyword) {
  constexpr std::array<std::string_view, 6> kMaps = {
      "properties",  "patternProperties", "$defs",
      "definitions", "dependentSchemas",  "dependencies"};
  return IsOneOf(kMaps, keyword);
}

std::string EscapedStep(std::string_view step) {
  std::string escaped;
  for (const char c : step) {
    if (c == '~' || c == '/') {
      escaped += c == '~' ? "~0" : "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

Result<std::unique_ptr<SchemaDocument>> SchemaDocument::Create(JsonValue root) {
  std::unique_ptr<SchemaDocument> document(new SchemaDocument(std::move(root)));
  HW_TRY_VOID(document->ReadDraft());
  document->bases_.emplace_back();
  document->resources_.emplace("", &document->root_);
  document->entries_.emplace(&document->root_, Entry{});
  document->IndexSchema(document->root_, 0);
  return document;
}

Result<void> SchemaDocument::ReadDraft() {
  const JsonValue* schema = root_.Find("$schema");
  if (schema == nullptr || !schema->Is(JsonValue::Kind::kString)) return {};
  std::string_view uri = schema->text;
  if (!uri.empty() && uri.back() == '#') uri.remove_suffix(1);
  const size_t slashes = uri.find("//");
  if (slashes != std::string_view::npos) uri.remove_prefix(slashes + 2);
  if (uri == "json-schema.org/draft-04/schema" || uri == "json-schema.org/draft-06/schema" ||
      uri == "json-schema.org/draft-07/schema") {
    draft_ = Draft::k7;
  } else if (uri == "json-schema.org/draft/2019-09/schema") {
    draft_ = Draft::k2019;
  } else if (uri == "json-schema.org/draft/2020-12/schema") {
    draft_ = Draft::k2020;
  } else if (uri != "json-schema.org/schema") {
    return SchemaError("#",
                       fmt::format("$schema: expected draft 4, 6, 7, 2019-09 or 2020-12, found {}",
                                   Shown(*schema)),
                       ErrorCode::kUnsupported);
  }
  return {};
}

const JsonValue* SchemaDocument::Keyword(const JsonValue& schema, std::string_view name) const {
  if (draft_ == Draft::k7) {
    if (IsOneOf(kSince2019, name) || IsOneOf(kSince2020, name)) return nullptr;
    const JsonValue* reference = name == "$ref" ? nullptr : schema.Find("$ref");
    if (reference != nullptr) return nullptr;
  }
  if (draft_ == Draft::k2019 && IsOneOf(kSince2020, name)) return nullptr;
  if (draft_ == Draft::k2020 && name == "additionalItems") return nullptr;
  return schema.Find(name);
}

// `schema` itself has an entry; here its identifiers are noted, and all that is in it.
void SchemaDocument::IndexSchema(const JsonValue& schema, int base) {
  const auto text = [&](std::string_view keyword) -> const std::string* {
    const JsonValue* value = schema.Find(keyword);
    return value != nullptr && value->Is(JsonValue::Kind::kString) ? &value->text : nullptr;
  };
  const bool only_reference = draft_ == Draft::k7 && schema.Find("$ref") != nullptr;
  const std::string* id = text("$id");
  if (id != nullptr && !only_reference) {
    const std::string uri = ResolveUri(bases_[static_cast<size_t>(base)], *id);
    if (!id->empty() && id->front() != '#') {
      base = static_cast<int>(bases_.size());
      bases_.push_back(uri);
      resources_.emplace(uri, &schema);
      entries_[&schema].base = base;
    }
    const std::string anchor = FragmentOf(*id);
    if (!anchor.empty()) anchors_.emplace(uri + "#" + anchor, &schema);
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"}) {
    const std::string* anchor = text(keyword);
    if (anchor == nullptr || draft_ == Draft::k7) continue;
    anchors_.emplace(bases_[static_cast<size_t>(base)] + "#" + *anchor, &schema);
    if (keyword[1] == 'd') ++dynamic_anchors_[*anchor];
  }
  for (size_t i = 0; i < schema.items.size(); ++i) {
    const std::string_view keyword =
        schema.Is(JsonValue::Kind::kObject) ? std::string_view(schema.names[i]) : "";
    const JsonValue& value = schema.items[i];
    entries_.emplace(&value, Entry{&schema, EscapedStep(keyword), base});
    const bool holds = IsOneOf(kHoldSchemas, keyword) || keyword == "unevaluatedProperties" ||
                       keyword == "contentSchema";
    const bool many = IsMapOfSchemas(keyword) || value.Is(JsonValue::Kind::kArray);
    if (holds && !many) {
      IndexSchema(value, base);
    } else {
      IndexParts(value, base, holds);
    }
  }
}

void SchemaDocument::IndexParts(const JsonValue& value, int base, bool are_schemas) {
  for (size_t i = 0; i < value.items.size(); ++i) {
    std::string step =
        value.Is(JsonValue::Kind::kObject) ? EscapedStep(value.names[i]) : std::to_string(i);
    entries_.emplace(&value.items[i], Entry{&value, std::move(step), base});
    if (are_schemas) {
      IndexSchema(value.items[i], base);
    } else {
      IndexParts(value.items[i], base, false);
    }
  }
}

// "/a/b~1c" from `at`; null when there is none.
const JsonValue* SchemaDocument::Walk(const JsonValue* at, std::string_view pointer) {
  while (at != nullptr && !pointer.empty()) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::string step;
    for (size_t i = 1; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      step += escape ? (pointer[i + 1] == '1' ? '/' : '~') : pointer[i];
      i += escape ? 1 : 0;
    }
    pointer.remove_prefix(end);
    if (at->Is(JsonValue::Kind::kObject)) {
      at = at->Find(step);
    } else {
      const bool number = at->Is(JsonValue::Kind::kArray) && !step.empty() && step.size() < 7 &&
                          step.find_first_not_of("0123456789") == std::string::npos;
      at = number && std::stoul(step) < at->items.size() ? &at->items[std::stoul(step)] : nullptr;
    }
  }
  return at;
}

Result<const JsonValue*> SchemaDocument::Resolve(const JsonValue& from,
                                                 const std::string& reference) {
  const std::string& base = bases_[static_cast<size_t>(entries_[&from].base)];
  const std::string uri = ResolveUri(base, reference);
  const std::string fragment = FragmentOf(reference);
  const JsonValue* found = nullptr;
  const auto resource = resources_.find(uri);
  if (resource != resources_.end() && (fragment.empty() || fragment.front() == '/')) {
    found = Walk(resource->second, fragment);
  } else if (const auto anchor = anchors_.find(uri + "#" + fragment); anchor != anchors_.end()) {
    found = anchor->second;
  }
  if (found != nullptr) return found;
  return SchemaError(
      PlaceOf(from),
      fmt::format("$ref: expected a place in this schema (#/...), found '{}'", reference),
      resource == resources_.end() ? ErrorCode::kUnsupported : ErrorCode::kInvalidInput);
}

Result<const JsonValue*> SchemaDocument::ResolveDynamic(const JsonValue& from,
                                                        const std::string& reference) {
  HW_TRY(const JsonValue* found, Resolve(from, reference));
  const auto count = dynamic_anchors_.find(FragmentOf(reference));
  const JsonValue* name = found->Find("$dynamicAnchor");
  const bool is_dynamic = name != nullptr && name->text == FragmentOf(reference);
  if (!is_dynamic || count == dynamic_anchors_.end() || count->second == 1) return found;
  return UnsupportedKeyword(PlaceOf(from), "$dynamicRef' to one of several '$dynamicAnchor");
}

std::string SchemaDocument::PlaceOf(const JsonValue& value) const {
  std::vector<const std::string*> steps;
  for (auto at = entries_.find(&value); at != entries_.end() && at->second.parent != nullptr;
       at = entries_.find(at->second.parent))
    steps.push_back(&at->second.step);
  std::string place = "#";
  for (size_t i = steps.size(); i-- > 0;) place.append("/").append(*steps[i]);
  return place;
}

}  // namespace headway::grammar
