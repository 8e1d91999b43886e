#include "json_report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/measure/turns.h"

namespace headway::cli {
namespace {

using Json = nlohmann::ordered_json;

Json SpeculationJson(const SpeculationCounters& s) {
  Json by_ngram = Json::object();
  for (size_t n = 0; n < s.drafted_by_ngram.size(); ++n) {
    if (s.drafted_by_ngram[n] == 0) continue;
    by_ngram[fmt::format("{}", n)] =
        Json{{"drafted", s.drafted_by_ngram[n]}, {"accepted", s.accepted_by_ngram[n]}};
  }
  return Json{{"passes", s.passes},     {"tokens", s.tokens},     {"drafted", s.drafted},
              {"accepted", s.accepted}, {"draft_ns", s.draft_ns}, {"by_ngram", by_ngram}};
}

Json CountersJson(const Counters& c) {
  return Json{{"steps", c.steps},
              {"step_tokens", c.step_tokens},
              {"step_ns", c.step_ns},
              {"step_p50_ns", measure::Percentile(c.step_samples_ns, 50)},
              {"step_p99_ns", measure::Percentile(c.step_samples_ns, 99)},
              {"embed_ns", c.embed_ns},
              {"rope_mask_ns", c.rope_mask_ns},
              {"layers_ns", c.layers_ns},
              {"layer_shard_ns", c.layer_shard_ns},
              {"head_ns", c.head_ns},
              {"head_predict_ns", c.head_predict_ns},
              {"head_predict_shard_work_ns", c.head_predict_shard_work_ns},
              {"head_shard_ns", c.head_shard_ns},
              {"head_reduce_ns", c.head_reduce_ns},
              {"head_reduce_shard_work_ns", c.head_reduce_shard_work_ns},
              {"head_bytes_read", c.head_bytes_read},
              {"head_rows_screened", c.head_rows_screened},
              {"head_rows_rescored", c.head_rows_rescored},
              {"head_planes_read", c.head_planes_read},
              {"head_fallbacks", c.head_fallbacks},
              {"head_switched_to_full", c.head_switched_to_full},
              {"head_winners_kept", c.head_winners_kept},
              {"head_winners_dropped", c.head_winners_dropped},
              {"head_rest_needed", c.head_rest_needed},
              {"head_rows_computed", c.head_rows_computed},
              {"head_skipped", c.head_skipped},
              {"forced_tokens", c.forced_tokens},
              {"mask_ns", c.mask_ns},
              {"layers_bytes_read", c.layers_bytes_read},
              {"layers_meetings", c.layers_meetings},
              {"head_meetings", c.head_meetings},
              {"speculation", SpeculationJson(c.speculation)},
              {"probe", SpeculationJson(c.probe)},
              {"prefill_tokens", c.prefill_tokens},
              {"prefill_ns", c.prefill_ns},
              {"cache_rebuilds", c.cache_rebuilds},
              {"kv_bytes", c.kv_bytes},
              {"logits_hash", fmt::format("{:016x}", c.logits_hash)}};
}

Json ModelJson(const ModelSummary& model) {
  return Json{{"name", model.name},
              {"architecture", model.architecture},
              {"package", model.package_directory},
              {"device", model.device},
              {"instruction_set", model.instruction_set},
              {"threads", model.threads},
              {"topology", model.topology},
              {"head", model.head},
              {"head_choice", model.head_choice},
              {"vocab_size", model.vocab_size},
              {"context_tokens", model.context_tokens},
              {"weight_bytes_per_token", model.weight_bytes_per_token}};
}

Json CertificateJson(const Certificate& c) {
  Json json{{"token", c.token}, {"fallback", c.fallback}, {"bytes_read", c.bytes_read}};
  if (c.fallback) return json;
  json["certificate"] = c.deterministic ? Json("deterministic") : Json{{"delta", c.delta}};
  if (!c.assumption.empty()) json["assumes"] = c.assumption;
  json["logit"] = c.value;
  // Not finite when nothing was discarded: an allow-list evaluated as a whole.
  json["theta"] = std::isfinite(c.theta) ? Json(c.theta) : Json(nullptr);
  json["rows_screened"] = c.rows_screened;
  json["rows_refined"] = c.rows_refined;
  json["rows_three_bits"] = c.rows_three_bits;
  json["rows_exact"] = c.rows_exact;
  json["audited"] = c.audited;
  return json;
}

}  // namespace

std::string RunReport(const ModelSummary& model, std::span<const int32_t> prompt, uint64_t seed,
                      const Generation& generation, const HostsReport& hosts) {
  Json json{{"model", ModelJson(model)},
            {"prompt_ids", std::vector<int32_t>(prompt.begin(), prompt.end())},
            {"generated_ids", generation.ids},
            {"text", generation.text},
            {"stop_reason", ToString(generation.stop_reason)},
            {"is_cut", generation.is_cut},
            {"seed", seed},
            {"kv", ToString(generation.kv)}};
  if (!generation.logprobs.empty()) json["logprobs"] = generation.logprobs;
  if (!generation.certificates.empty()) {
    Json certificates = Json::array();
    for (const Certificate& c : generation.certificates) certificates.push_back(CertificateJson(c));
    json["certificates"] = std::move(certificates);
  }
  json["counters"] = CountersJson(generation.counters);
  if (hosts.ranks > 0) {
    json["hosts"] = {{"ranks", hosts.ranks},
                     {"layers", hosts.layers},
                     {"head", hosts.head},
                     {"steps", hosts.steps},
                     {"messages", hosts.counted.messages},
                     {"bytes", hosts.counted.bytes},
                     {"reductions", hosts.counted.reductions},
                     {"predicted_messages_per_step", hosts.predicted.messages},
                     {"predicted_bytes_per_step", hosts.predicted.bytes},
                     {"predicted_reductions_per_step", hosts.predicted.reductions}};
  }
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string BenchJson(const ModelSummary* model_or_null,
                      const std::vector<lab::BenchTable>& tables) {
  Json json = Json::object();
  if (model_or_null != nullptr) json["model"] = ModelJson(*model_or_null);
  json["rows"] = Json::array();
  for (const lab::BenchTable& table : tables) {
    for (const lab::BenchRow& row : table.rows) {
      Json line{{"table", table.name}, {"row", row.name}};
      for (const lab::BenchFigure& figure : row.figures) {
        if (!figure.name.empty())
          line[figure.name] = figure.value ? Json(*figure.value) : Json(figure.shown);
      }
      json["rows"].push_back(std::move(line));
    }
  }
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace headway::cli
