// results.json: everything the pages are made from, and the state to go on from.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_depth.h"
#include "lab/results.h"

namespace headway::lab {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int kSchema = 1;

struct NumberField {
  const char* name;
  double Sample::*field;
};
constexpr NumberField kNumbers[] = {{"step_ns", &Sample::step_ns},
                                    {"embed_ns", &Sample::embed_ns},
                                    {"rotary_ns", &Sample::rotary_ns},
                                    {"layers_ns", &Sample::layers_ns},
                                    {"head_ns", &Sample::head_ns},
                                    {"head_predict_ns", &Sample::predict_ns},
                                    {"head_reduce_ns", &Sample::reduce_ns},
                                    {"head_bytes_read", &Sample::head_bytes},
                                    {"layers_bytes_read", &Sample::layers_bytes},
                                    {"head_rows_screened", &Sample::rows_screened},
                                    {"head_rows_rescored", &Sample::rows_rescored},
                                    {"head_fallbacks", &Sample::fallbacks}};

OrderedJson ToJsonValue(const Sample& sample) {
  OrderedJson json;
  for (const NumberField& number : kNumbers) json[number.name] = sample.*number.field;
  json["layer_shard_ns"] = sample.layer_shard_ns;
  json["head_shard_ns"] = sample.head_shard_ns;
  json["tokens_hash"] = sample.tokens_hash;
  return json;
}

Sample SampleFromJson(const OrderedJson& json) {
  Sample sample;
  for (const NumberField& number : kNumbers) json.at(number.name).get_to(sample.*number.field);
  json.at("layer_shard_ns").get_to(sample.layer_shard_ns);
  json.at("head_shard_ns").get_to(sample.head_shard_ns);
  json.at("tokens_hash").get_to(sample.tokens_hash);
  return sample;
}

OrderedJson ToJsonValue(const ShardFacts& shard) {
  return OrderedJson{{"name", shard.name},         {"begin", shard.begin},
                     {"end", shard.end},           {"head", shard.is_head},
                     {"bytes", shard.bytes},       {"compute_ops", shard.ops},
                     {"resident", shard.resident}, {"failed", shard.failed}};
}

ShardFacts ShardFromJson(const OrderedJson& json) {
  return {.name = json.at("name").get<std::string>(),
          .begin = json.at("begin").get<int64_t>(),
          .end = json.at("end").get<int64_t>(),
          .is_head = json.at("head").get<bool>(),
          .bytes = json.at("bytes").get<uint64_t>(),
          .ops = json.at("compute_ops").get<int64_t>(),
          .resident = json.at("resident").get<int64_t>(),
          .failed = json.at("failed").get<bool>()};
}

OrderedJson ToJsonValue(const measure::Spread& spread) {
  return OrderedJson{{"median", spread.median},
                     {"low", spread.low},
                     {"high", spread.high},
                     {"min", spread.min},
                     {"max", spread.max}};
}

OrderedJson ToJsonValue(const Spec& spec, const Results& results, const VariantResult& variant) {
  const VariantSpec& s = variant.spec;
  const Comparison comparison = Compare(spec, results, variant);
  OrderedJson gates = OrderedJson::array();
  for (const GateRecord& record : variant.gates) {
    gates.push_back(OrderedJson{{"gate", record.gate},
                                {"passed", record.passed},
                                {"contested", record.contested},
                                {"basis", record.basis},
                                {"detail", record.detail}});
  }
  OrderedJson shards = OrderedJson::array();
  for (const ShardFacts& shard : variant.shards) shards.push_back(ToJsonValue(shard));
  OrderedJson samples = OrderedJson::array();
  for (const Sample& sample : variant.samples) samples.push_back(ToJsonValue(sample));
  OrderedJson json{{"name", s.name},
                   {"device", s.device},
                   {"topology", s.topology},
                   {"head", s.head},
                   {"weights", s.weights},
                   {"batch_tokens", s.batch_tokens},
                   {"threads", s.threads},
                   {"expect", s.expect},
                   {"note", s.note},
                   {"status", static_cast<int>(variant.status)},
                   {"status_text", ToString(variant.status)},
                   {"reason", variant.reason},
                   {"verdict", ToString(comparison.verdict)}};
  if (comparison.verdict != Verdict::kNone) {
    json["ns_a_token"] = ToJsonValue(comparison.ns);
    json["ratio_to_baseline"] = ToJsonValue(comparison.ratio);
  }
  json["gates"] = std::move(gates);
  json["shards"] = std::move(shards);
  json["rounds"] = std::move(samples);
  return json;
}

VariantResult VariantFromJson(const OrderedJson& json) {
  VariantResult variant;
  VariantSpec& s = variant.spec;
  json.at("name").get_to(s.name);
  json.at("device").get_to(s.device);
  json.at("topology").get_to(s.topology);
  json.at("head").get_to(s.head);
  json.at("weights").get_to(s.weights);
  json.at("batch_tokens").get_to(s.batch_tokens);
  json.at("threads").get_to(s.threads);
  json.at("expect").get_to(s.expect);
  json.at("note").get_to(s.note);
  const int status = json.at("status").get<int>();
  if (status >= 0 && status <= static_cast<int>(Status::kNoDevice))
    variant.status = static_cast<Status>(status);
  json.at("reason").get_to(variant.reason);
  for (const OrderedJson& gate : json.at("gates")) {
    variant.gates.push_back({.gate = gate.at("gate").get<std::string>(),
                             .passed = gate.at("passed").get<bool>(),
                             .contested = gate.value("contested", false),
                             .basis = gate.at("basis").get<std::string>(),
                             .detail = gate.at("detail").get<std::string>()});
  }
  for (const OrderedJson& shard : json.at("shards")) variant.shards.push_back(ShardFromJson(shard));
  for (const OrderedJson& sample : json.at("rounds"))
    variant.samples.push_back(SampleFromJson(sample));
  return variant;
}

}  // namespace

std::string ToJson(const Spec& spec, const Results& results) {
  OrderedJson variants = OrderedJson::array();
  for (const VariantResult& variant : results.variants)
    variants.push_back(ToJsonValue(spec, results, variant));
  const OrderedJson json{{"schema", kSchema},
                         {"name", spec.name},
                         {"title", spec.title},
                         {"intent", spec.intent},
                         {"spec_digest", results.spec_digest},
                         {"model", OrderedJson{{"name", results.model_name},
                                               {"file", results.model_file},
                                               {"digest", results.model_digest},
                                               {"vocab_size", results.vocab_size},
                                               {"hidden_size", results.hidden_size},
                                               {"num_layers", results.num_layers}}},
                         {"machine", results.machine},
                         {"kernels", results.kernels},
                         {"threads", results.threads},
                         {"date", results.date},
                         {"version", results.version},
                         {"metric", ToString(spec.metric)},
                         {"baseline", spec.baseline},
                         {"rounds_wanted", spec.repeats},
                         {"rounds_done", RoundsDone(results)},
                         {"bandwidth_bytes_a_second", results.bandwidth},
                         {"variants", std::move(variants)}};
  return json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

Result<Results> ResultsFromJson(const std::string& text, const std::string& where) {
  HW_TRY_VOID(CheckJsonDepth(text, where, ErrorCode::kCorrupt));
  try {
    const OrderedJson json = OrderedJson::parse(text);
    if (json.at("schema").get<int>() != kSchema)
      return Fail(ErrorCode::kCorrupt, fmt::format("{}: expected schema {}", where, kSchema));
    Results results;
    json.at("spec_digest").get_to(results.spec_digest);
    const OrderedJson& model = json.at("model");
    model.at("name").get_to(results.model_name);
    model.at("file").get_to(results.model_file);
    model.at("digest").get_to(results.model_digest);
    model.at("vocab_size").get_to(results.vocab_size);
    model.at("hidden_size").get_to(results.hidden_size);
    model.at("num_layers").get_to(results.num_layers);
    json.at("machine").get_to(results.machine);
    json.at("kernels").get_to(results.kernels);
    json.at("threads").get_to(results.threads);
    json.at("date").get_to(results.date);
    json.at("version").get_to(results.version);
    json.at("bandwidth_bytes_a_second").get_to(results.bandwidth);
    for (const OrderedJson& variant : json.at("variants"))
      results.variants.push_back(VariantFromJson(variant));
    return results;
  } catch (const nlohmann::json::exception& error) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: not results of the lab: {}", where, error.what()));
  }
}

}  // namespace headway::lab
