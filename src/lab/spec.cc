#include "lab/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/json_depth.h"

namespace headway::lab {
namespace {

using Json = nlohmann::json;

constexpr int kMostVariants = 64;
constexpr int64_t kMostTokens = 4096;

// Reads the fields of one object; the first mistake is kept.
class Fields {
 public:
  Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  void Text(const char* key, std::string* value, bool required = false) {
    const Json* field = Find(key, required);
    if (field == nullptr) return;
    if (!field->is_string()) return Mistake(key, "text", *field);
    *value = field->get<std::string>();
    if (required && value->empty()) Mistake(key, "a text that is not empty", *field);
  }
  template <class T>
  void Number(const char* key, T* value, T least, T most) {
    const Json* field = Find(key, false);
    if (field == nullptr) return;
    const std::string range = fmt::format("a whole number from {} to {}", least, most);
    if (!field->is_number_integer()) return Mistake(key, range, *field);
    const auto number = field->get<int64_t>();
    if (number < static_cast<int64_t>(least) || number > static_cast<int64_t>(most))
      return Mistake(key, range, *field);
    *value = static_cast<T>(number);
  }
  void Fraction(const char* key, double* value) {
    const Json* field = Find(key, false);
    if (field == nullptr) return;
    if (!field->is_number() || field->get<double>() < 0 || field->get<double>() >= 1)
      return Mistake(key, "a number from 0 to below 1", *field);
    *value = field->get<double>();
  }
  void Flag(const char* key, bool* value) {
    const Json* field = Find(key, false);
    if (field == nullptr) return;
    if (!field->is_boolean()) return Mistake(key, "true or false", *field);
    *value = field->get<bool>();
  }
  void Choice(const char* key, std::string* value, std::initializer_list<std::string_view> known) {
    Text(key, value);
    if (json_.contains(key) && std::find(known.begin(), known.end(), *value) == known.end())
      Mistake(key, fmt::format("one of {}", fmt::join(known, ", ")), json_.at(key));
  }
  void Texts(const char* key, std::vector<std::string>* values) {
    const Json* field = Find(key, false);
    if (field == nullptr) return;
    if (!field->is_array()) return Mistake(key, "a list of texts", *field);
    for (const Json& item : *field) {
      if (!item.is_string()) return Mistake(key, "a list of texts", item);
      values->push_back(item.get<std::string>());
    }
  }
  const Json* Object(const char* key) {
    const Json* field = Find(key, false);
    if (field != nullptr && !field->is_object()) Mistake(key, "an object", *field);
    return field != nullptr && field->is_object() ? field : nullptr;
  }
  const Json* List(const char* key) {
    const Json* field = Find(key, true);
    if (field != nullptr && !field->is_array()) Mistake(key, "a list", *field);
    return field != nullptr && field->is_array() ? field : nullptr;
  }

  // The first mistake; a key that nobody asked for is one.
  Result<void> Finish() {
    for (const auto& item : json_.items()) {
      if (known_.count(item.key()) == 0 && error_.empty())
        error_ = fmt::format("{}: unknown key '{}' (known: {})", where_, item.key(),
                             fmt::join(known_, ", "));
    }
    if (error_.empty()) return {};
    return Fail(ErrorCode::kInvalidInput, error_);
  }

 private:
  const Json* Find(const char* key, bool required) {
    known_.insert(key);
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    if (required && error_.empty())
      error_ = fmt::format("{}: expected the key '{}', found none", where_, key);
    return nullptr;
  }
  void Mistake(const char* key, const std::string& expected, const Json& found) {
    if (!error_.empty()) return;
    std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    error_ = fmt::format("{}: {}: expected {}, found {}", where_, key, expected, text);
  }

  const Json& json_;
  std::string where_;
  std::set<std::string> known_;
  std::string error_;
};

Result<VariantSpec> ParseVariant(const Json& json, const std::string& where) {
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected an object", where));
  VariantSpec variant;
  Fields fields(json, where);
  fields.Text("name", &variant.name, true);
  fields.Text("device", &variant.device);
  fields.Text("topology", &variant.topology);
  fields.Text("head", &variant.head);
  fields.Text("weights", &variant.weights);
  fields.Number<int64_t>("batch_tokens", &variant.batch_tokens, 1, 16);
  fields.Number("threads", &variant.threads, 0, 256);
  fields.Choice("expect", &variant.expect, {"better", "tied", "worse"});
  fields.Text("note", &variant.note);
  HW_TRY_VOID(fields.Finish());
  return variant;
}

Result<void> ParseMeasure(const Json& json, const std::string& where, Spec* spec) {
  Fields fields(json, where);
  fields.Number("warm_up", &spec->warm_up, 0, 1000);
  fields.Number("repeats", &spec->repeats, 1, 10000);
  fields.Number<int64_t>("tokens", &spec->tokens, 1, kMostTokens);
  fields.Number<int64_t>("context", &spec->context, 1, kMostTokens);
  fields.Number("threads", &spec->threads, 0, 256);
  fields.Choice("load", &spec->load, {"map", "copy", "auto"});
  std::string metric;
  fields.Choice("metric", &metric, {"head", "layers", "step"});
  if (metric == "layers") spec->metric = Metric::kLayers;
  if (metric == "step") spec->metric = Metric::kStep;
  fields.Fraction("better_by_at_least", &spec->at_least);
  return fields.Finish();
}

Result<void> CheckNames(const Spec& spec, const std::string& where) {
  const bool plain = std::all_of(spec.name.begin(), spec.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!plain)
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: name: expected small letters, digits and '-', found '{}'", where,
                            spec.name));
  std::set<std::string> names;
  for (const VariantSpec& variant : spec.variants) {
    if (!names.insert(variant.name).second)
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: variants: expected different names, found '{}' twice", where,
                              variant.name));
  }
  if (names.count(spec.baseline) == 0)
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: baseline: expected one of {}, found '{}'", where,
                            fmt::join(names, ", "), spec.baseline));
  return {};
}

}  // namespace

const char* ToString(Metric metric) {
  switch (metric) {
    case Metric::kHead:
      return "head";
    case Metric::kLayers:
      return "layers";
    case Metric::kStep:
      return "step";
  }
  return "";
}

Result<Spec> ParseSpec(const std::string& text, const std::string& where) {
  HW_TRY_VOID(CheckJsonDepth(text, where, ErrorCode::kInvalidInput));
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: not JSON: {}", where, error.what()));
  }
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected an object", where));
  Spec spec;
  Fields fields(json, where);
  fields.Text("name", &spec.name, true);
  fields.Text("title", &spec.title, true);
  fields.Text("intent", &spec.intent, true);
  fields.Text("model", &spec.model, true);
  fields.Text("baseline", &spec.baseline, true);
  fields.Flag("gates", &spec.gates);
  fields.Flag("search_topology", &spec.search_topology);
  fields.Texts("references", &spec.references);
  const Json* measure = fields.Object("measure");
  const Json* variants = fields.List("variants");
  HW_TRY_VOID(fields.Finish());
  if (measure != nullptr) HW_TRY_VOID(ParseMeasure(*measure, where + ": measure", &spec));
  if (variants->empty() || variants->size() > kMostVariants) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: variants: expected 1 to {}, found {}",
                                                      where, kMostVariants, variants->size()));
  }
  for (size_t i = 0; i < variants->size(); ++i) {
    HW_TRY(VariantSpec variant,
           ParseVariant((*variants)[i], fmt::format("{}: variants[{}]", where, i)));
    spec.variants.push_back(std::move(variant));
  }
  HW_TRY_VOID(CheckNames(spec, where));
  return spec;
}

}  // namespace headway::lab
