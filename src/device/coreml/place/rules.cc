#include "device/coreml/place/rules.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "device/coreml/place/rules_text.h"

namespace headway::mil {
namespace {

using nlohmann::json;

tl::unexpected<Error> Bad(const std::string& message) {
  return Fail(ErrorCode::kCorrupt, "placement rules: " + message);
}

// Readers of one value each; false when it has another JSON type or an unknown name.
bool Read(const json& value, std::optional<int64_t>* out) {
  if (!value.is_number_integer()) return false;
  *out = value.get<int64_t>();
  return true;
}
bool Read(const json& value, bool* out) {
  if (!value.is_boolean()) return false;
  *out = value.get<bool>();
  return true;
}
bool Read(const json& value, std::string* out) {
  if (!value.is_string()) return false;
  *out = value.get<std::string>();
  return true;
}
template <class T>
bool ReadName(const json& value, const std::map<std::string, T>& names, T* out) {
  const auto found = value.is_string() ? names.find(value.get<std::string>()) : names.end();
  if (found != names.end()) *out = found->second;
  return found != names.end();
}
bool Read(const json& value, DType* out) {
  const auto dtype = value.is_string() ? DTypeFromName(value.get<std::string>()) : std::nullopt;
  if (dtype) *out = *dtype;
  return dtype.has_value();
}
bool Read(const json& value, Platform* out) {
  if (value != "macos" && value != "ios") return false;
  *out = value == "ios" ? Platform::kIos : Platform::kMacos;
  return true;
}
bool Read(const json& value, Verdict* out) {
  return ReadName<Verdict>(value,
                           {{"cpu", Verdict::kCpu},
                            {"unknown", Verdict::kUnknown},
                            {"warn", Verdict::kWarn},
                            {"engine", Verdict::kEngine}},
                           out);
}
bool Read(const json& value, Certainty* out) {
  return ReadName<Certainty>(value,
                             {{"certain", Certainty::kCertain},
                              {"likely", Certainty::kLikely},
                              {"contested", Certainty::kContested}},
                             out);
}
bool Read(const json& value, Evidence* out) {
  if (!value.is_object() || value.size() != 2) return false;
  return Read(value.value("evidence", json()), &out->evidence) &&
         Read(value.value("source", json()), &out->source) && !out->evidence.empty() &&
         !out->source.empty();
}
template <class T>
bool Read(const json& value, std::vector<T>* out) {
  if (!value.is_array()) return false;
  for (const json& item : value) {
    T element{};
    if (!Read(item, &element)) return false;
    out->push_back(std::move(element));
  }
  return true;
}
bool Read(const json& value, std::optional<DmaNotch>* out) {
  std::optional<int64_t> cores;
  std::optional<int64_t> step;
  std::optional<int64_t> tolerance;
  if (!value.is_object() || !Read(value.value("cores", json()), &cores) ||
      !Read(value.value("step_bytes", json()), &step) ||
      !Read(value.value("tolerance_bytes", json()), &tolerance) || *cores < 1 || *step < 1) {
    return false;
  }
  *out = DmaNotch{*cores, *step, *tolerance};
  return true;
}

using Fields = std::map<std::string, std::function<bool(const json&)>>;

// Reads every member of `object` with its field; unknown ones are errors, so that a misspelt
// condition is not ignored.
Result<void> ReadObject(const json& object, const Fields& fields, const std::string& where) {
  if (!object.is_object()) return Bad(where + ": expected an object");
  for (const auto& [key, value] : object.items()) {
    const auto field = fields.find(key);
    if (field == fields.end()) return Bad(fmt::format("{}: key '{}' is unknown", where, key));
    if (!field->second(value))
      return Bad(fmt::format("{}: key '{}': unexpected value {}", where, key, value.dump()));
  }
  return {};
}

Result<void> ReadCondition(const json& object, const std::string& where, Condition* c) {
  Result<void> weight;
  const Fields weight_fields = {
      {"dtype", [&](const json& v) { return Read(v, &c->weight_dtype); }},
      {"lut_dtype", [&](const json& v) { return Read(v, &c->weight_lut_dtype); }},
      {"blocks_along_input", [&](const json& v) { return Read(v, &c->weight_blocks_along_input); }},
      {"scale_per_channel", [&](const json& v) { return Read(v, &c->weight_scale_per_channel); }},
      {"table", [&](const json& v) { return Read(v, &c->weight_table); }},
      {"scaled_table", [&](const json& v) { return Read(v, &c->weight_scaled_table); }}};
  const Fields fields = {
      {"op", [&](const json& v) { return Read(v, &c->op); }},
      {"not_op", [&](const json& v) { return Read(v, &c->not_op); }},
      {"any_dtype", [&](const json& v) { return Read(v, &c->any_dtype); }},
      {"rank_over", [&](const json& v) { return Read(v, &c->rank_over); }},
      {"axis_over", [&](const json& v) { return Read(v, &c->axis_over); }},
      {"kernel_over", [&](const json& v) { return Read(v, &c->kernel_over); }},
      {"query_elements_below", [&](const json& v) { return Read(v, &c->query_elements_below); }},
      {"reduction_over", [&](const json& v) { return Read(v, &c->reduction_over); }},
      {"kernel_size", [&](const json& v) { return Read(v, &c->kernel_size); }},
      {"batch_over", [&](const json& v) { return Read(v, &c->batch_over); }},
      {"constant_beyond", [&](const json& v) { return Read(v, &c->constant_beyond); }},
      {"constant_weight", [&](const json& v) { return Read(v, &c->constant_weight); }},
      {"last_axis_offset", [&](const json& v) { return Read(v, &c->last_axis_offset); }},
      {"dma_notch", [&](const json& v) { return Read(v, &c->dma_notch); }},
      {"weight",
       [&](const json& v) {
         weight = ReadObject(v, weight_fields, where + ".weight");
         return weight.has_value();
       }},
      {"weight_bytes_over", [&](const json& v) { return Read(v, &c->weight_bytes_over); }},
      {"weight_bytes_below", [&](const json& v) { return Read(v, &c->weight_bytes_below); }},
      {"weight_elements_below", [&](const json& v) { return Read(v, &c->weight_elements_below); }},
      {"states_over", [&](const json& v) { return Read(v, &c->states_over); }},
      {"state_axes_not_multiple_of",
       [&](const json& v) { return Read(v, &c->state_axes_not_multiple_of); }},
      {"last_axis_below", [&](const json& v) { return Read(v, &c->last_axis_below); }},
      {"writes_states", [&](const json& v) { return Read(v, &c->writes_states); }},
      {"flexible", [&](const json& v) { return Read(v, &c->flexible); }}};
  return ReadObject(object, fields, where);
}

Result<PlacementRule> ReadRule(const json& object) {
  PlacementRule rule;
  const std::string where =
      object.is_object() && object.contains("id") ? "rule " + object["id"].dump() : "a rule";
  Result<void> condition;
  const Fields fields = {{"id", [&](const json& v) { return Read(v, &rule.id); }},
                         {"scope",
                          [&](const json& v) {
                            rule.whole_program = v == "program";
                            return v == "program" || v == "op";
                          }},
                         {"when",
                          [&](const json& v) {
                            condition = ReadCondition(v, where + ".when", &rule.when);
                            return condition.has_value();
                          }},
                         {"platform", [&](const json& v) { return Read(v, &rule.platforms); }},
                         {"verdict", [&](const json& v) { return Read(v, &rule.verdict); }},
                         {"certainty", [&](const json& v) { return Read(v, &rule.certainty); }},
                         {"for", [&](const json& v) { return Read(v, &rule.evidence); }},
                         {"against", [&](const json& v) { return Read(v, &rule.against); }}};
  const Result<void> read = ReadObject(object, fields, where);
  if (!condition) return tl::unexpected<Error>(condition.error());
  if (!read) return tl::unexpected<Error>(read.error());
  if (rule.id.empty() || rule.evidence.empty() || !object.contains("verdict") ||
      !object.contains("certainty"))
    return Bad(where + ": expected id, verdict, certainty and what speaks for it");
  const bool contested = rule.certainty == Certainty::kContested;
  if (contested && (rule.against.empty() || rule.verdict == Verdict::kCpu))
    return Bad(where + ": contested: expected what speaks against it, and no verdict of cpu");
  if (rule.certainty == Certainty::kCertain && !rule.against.empty())
    return Bad(where + ": certain: expected nothing that speaks against it");
  return rule;
}

}  // namespace

std::string_view NameOf(Certainty certainty) {
  switch (certainty) {
    case Certainty::kCertain:
      return "certain";
    case Certainty::kLikely:
      return "likely";
    case Certainty::kContested:
      break;
  }
  return "contested";
}

Result<std::vector<PlacementRule>> ParsePlacementRules(std::string_view text) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || root.value("schema", json()) != 2 ||
      !root.value("rules", json()).is_array()) {
    return Bad("expected an object with schema 2 and rules");
  }
  std::vector<PlacementRule> rules;
  for (const json& object : root["rules"]) {
    HW_TRY(PlacementRule rule, ReadRule(object));
    rules.push_back(std::move(rule));
  }
  return rules;
}

const std::vector<PlacementRule>& BuiltInPlacementRules() {
  static const std::vector<PlacementRule> rules = [] {
    auto parsed = ParsePlacementRules(PlacementRulesText());
    HW_CHECK(parsed.has_value(), "the built-in placement rules parse");
    return *std::move(parsed);
  }();
  return rules;
}

}  // namespace headway::mil
