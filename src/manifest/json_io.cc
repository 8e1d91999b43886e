#include "manifest/json_io.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json_depth.h"

namespace headway {
namespace {

using Json = nlohmann::ordered_json;

// Names come from model files and paths, in any bytes: what is no UTF-8 becomes U+FFFD.
std::string TextOf(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string DigestOf(const Json& without_digest) {
  const std::string text = TextOf(without_digest);
  return DigestHex(std::as_bytes(std::span<const char>(text.data(), text.size())));
}

Json ToJsonValue(const ExpectedOps& ops) {
  Json json{{"basis", ops.basis},
            {"compute_total", ops.compute_total},
            {"compute_ane", ops.compute_ane},
            {"conv_total", ops.conv_total},
            {"conv_ane", ops.conv_ane},
            {"histogram", ops.histogram}};
  if (ops.compute_contested > 0) json["compute_contested"] = ops.compute_contested;
  return json;
}

ExpectedOps ExpectedFromJson(const Json& json) {
  return {.basis = json.at("basis").get<std::string>(),
          .compute_total = json.at("compute_total").get<int64_t>(),
          .compute_ane = json.at("compute_ane").get<int64_t>(),
          .compute_contested = json.value("compute_contested", int64_t{0}),
          .conv_total = json.at("conv_total").get<int64_t>(),
          .conv_ane = json.at("conv_ane").get<int64_t>(),
          .histogram = json.at("histogram").get<std::map<std::string, int64_t>>()};
}

// Members that only some devices have are left out where they say nothing.
Json ToJsonValue(const FileEntry& file) {
  Json json{{"path", file.path}, {"bytes", file.bytes}, {"digest", file.digest}};
  if (!file.blocks.empty()) json["blocks"] = file.blocks;
  if (!file.tokens.empty()) json["tokens"] = file.tokens;
  if (file.expected) json["expected"] = ToJsonValue(*file.expected);
  return json;
}

FileEntry FileFromJson(const Json& json) {
  FileEntry file{.path = json.at("path").get<std::string>(),
                 .bytes = json.at("bytes").get<uint64_t>(),
                 .digest = json.at("digest").get<std::string>(),
                 .blocks = json.value("blocks", std::string()),
                 .tokens = json.value("tokens", std::string())};
  if (json.contains("expected")) file.expected = ExpectedFromJson(json.at("expected"));
  return file;
}

Json WithWider(Json json, const std::vector<FileEntry>& wider) {
  for (const FileEntry& file : wider) json["wider"].push_back(ToJsonValue(file));
  return json;
}

std::vector<FileEntry> WiderFromJson(const Json& json) {
  std::vector<FileEntry> wider;
  if (!json.contains("wider")) return wider;
  for (const Json& file : json.at("wider")) wider.push_back(FileFromJson(file));
  return wider;
}

// Calls use(key, field) for what only some architectures have.
template <class Model, class Use>
void ForRareFields(Model& model, const Use& use) {
  use("global_layers", &model.global_layers);
  use("unrotated_layers", &model.unrotated_layers);
  use("rope_local_theta", &model.rope_local_theta);
  use("embedding_scale", &model.embedding_scale);
  use("attention_scale", &model.attention_scale);
  use("residual_scale", &model.residual_scale);
  use("logit_scale", &model.logit_scale);
  use("attention_soft_cap", &model.attention_soft_cap);
  use("logit_soft_cap", &model.logit_soft_cap);
  use("fused_qkv", &model.fused_qkv);
  use("biases", &model.biases);
}

Json ToJsonValue(const ModelConfig& model) {
  Json json{{"architecture", model.architecture},
            {"name", model.name},
            {"hidden_size", model.hidden_size},
            {"intermediate_size", model.intermediate_size},
            {"num_hidden_layers", model.num_hidden_layers},
            {"num_attention_heads", model.num_attention_heads},
            {"num_key_value_heads", model.num_key_value_heads},
            {"head_dim", model.head_dim},
            {"vocab_size", model.vocab_size},
            {"max_position_embeddings", model.max_position_embeddings},
            {"sliding_window", model.sliding_window},
            {"rms_norm_eps", model.rms_norm_eps},
            {"tie_word_embeddings", model.tie_word_embeddings},
            {"rotary_dim", model.rotary_dim},
            {"rope_pairs", model.rope_pairs},
            {"rope_theta", model.rope_theta},
            {"rope_linear_factor", model.rope_linear_factor},
            {"original_max_position_embeddings", model.original_max_position_embeddings},
            {"rope_attention_factor", model.rope_attention_factor},
            {"rope_short_factors", model.rope_short_factors},
            {"rope_long_factors", model.rope_long_factors}};
  // Left out where they are as usual.
  const Json usual = [] {
    Json values;
    const ModelConfig plain;
    ForRareFields(plain, [&](const char* key, const auto* field) { values[key] = *field; });
    return values;
  }();
  ForRareFields(model, [&](const char* key, const auto* field) {
    Json value = *field;
    if (value != usual.at(key)) json[key] = std::move(value);
  });
  return json;
}

ModelConfig ModelFromJson(const Json& json) {
  ModelConfig model;
  const auto read = [&json](const char* key, auto* field) { json.at(key).get_to(*field); };
  read("architecture", &model.architecture);
  read("name", &model.name);
  read("hidden_size", &model.hidden_size);
  read("intermediate_size", &model.intermediate_size);
  read("num_hidden_layers", &model.num_hidden_layers);
  read("num_attention_heads", &model.num_attention_heads);
  read("num_key_value_heads", &model.num_key_value_heads);
  read("head_dim", &model.head_dim);
  read("vocab_size", &model.vocab_size);
  read("max_position_embeddings", &model.max_position_embeddings);
  read("sliding_window", &model.sliding_window);
  read("rms_norm_eps", &model.rms_norm_eps);
  read("tie_word_embeddings", &model.tie_word_embeddings);
  read("rotary_dim", &model.rotary_dim);
  read("rope_pairs", &model.rope_pairs);
  read("rope_theta", &model.rope_theta);
  read("rope_linear_factor", &model.rope_linear_factor);
  read("original_max_position_embeddings", &model.original_max_position_embeddings);
  read("rope_attention_factor", &model.rope_attention_factor);
  read("rope_short_factors", &model.rope_short_factors);
  read("rope_long_factors", &model.rope_long_factors);
  ForRareFields(model, [&](const char* key, auto* field) {
    if (json.contains(key)) read(key, field);
  });
  return model;
}

Json ToJsonValue(const HeadSpec& head) {
  Json shards = Json::array();
  for (const HeadShard& shard : head.shards) {
    Json json{{"shard_index", shard.shard_index},
              {"vocab_start", shard.vocab_start},
              {"vocab_end", shard.vocab_end}};
    json.update(ToJsonValue(shard.file));
    shards.push_back(WithWider(std::move(json), shard.wider));
  }
  Json json{{"kind", head.kind}, {"shards", std::move(shards)}};
  if (head.planes) json["planes"] = ToJsonValue(*head.planes);
  if (head.first) {
    json["first_rows"] = ToJsonValue(head.first->file);
    json["first_rows"]["ids"] = head.first->ids;
  }
  if (head.rows) json["rows"] = ToJsonValue(*head.rows);
  return json;
}

HeadSpec HeadFromJson(const Json& json) {
  HeadSpec head{.kind = json.at("kind").get<std::string>(), .shards = {}};
  for (const Json& shard : json.at("shards")) {
    head.shards.push_back({.shard_index = shard.at("shard_index").get<int64_t>(),
                           .vocab_start = shard.at("vocab_start").get<int64_t>(),
                           .vocab_end = shard.at("vocab_end").get<int64_t>(),
                           .file = FileFromJson(shard),
                           .wider = WiderFromJson(shard)});
  }
  if (json.contains("planes")) head.planes = FileFromJson(json.at("planes"));
  if (json.contains("first_rows")) {
    const Json& first = json.at("first_rows");
    head.first =
        FirstRows{.file = FileFromJson(first), .ids = first.at("ids").get<std::vector<int32_t>>()};
  }
  if (json.contains("rows")) head.rows = FileFromJson(json.at("rows"));
  return head;
}

Json ToJsonValue(const GateRecord& record) {
  Json json{{"gate", record.gate},
            {"passed", record.passed},
            {"basis", record.basis},
            {"detail", record.detail}};
  if (record.contested) json["contested"] = true;
  return json;
}

GateRecord GateFromJson(const Json& json) {
  return {.gate = json.at("gate").get<std::string>(),
          .passed = json.at("passed").get<bool>(),
          .contested = json.value("contested", false),
          .basis = json.at("basis").get<std::string>(),
          .detail = json.at("detail").get<std::string>()};
}

Manifest FromJson(const Json& json) {
  Manifest manifest;
  manifest.producer = json.at("producer").get<std::string>();
  manifest.source_file = json.at("source").at("file").get<std::string>();
  manifest.source_digest = json.at("source").at("digest").get<std::string>();
  manifest.device = json.at("device").get<std::string>();
  manifest.weights = json.value("weights", std::string());
  manifest.residual_scale = json.value("residual_scale", 1.0F);
  manifest.max_seq = json.value("max_seq", int64_t{0});
  manifest.model = ModelFromJson(json.at("model"));
  manifest.tokenizer = FileFromJson(json.at("tokenizer"));
  if (!json.at("embedding").is_null()) manifest.embedding = FileFromJson(json.at("embedding"));
  for (const Json& shard : json.at("layers")) {
    manifest.layers.push_back({.start = shard.at("start").get<int64_t>(),
                               .end = shard.at("end").get<int64_t>(),
                               .file = FileFromJson(shard),
                               .wider = WiderFromJson(shard)});
  }
  for (const Json& head : json.at("heads")) manifest.heads.push_back(HeadFromJson(head));
  if (json.contains("auto_head")) {
    const Json& chosen = json.at("auto_head");
    manifest.auto_head.emplace();
    if (chosen.contains("forecast"))
      manifest.auto_head->forecast = chosen.at("forecast").get<double>();
  }
  // Packages without these were never gated.
  if (json.contains("goldens")) manifest.goldens = FileFromJson(json.at("goldens"));
  if (json.contains("gates")) {
    for (const Json& record : json.at("gates")) manifest.gates.push_back(GateFromJson(record));
  }
  return manifest;
}

}  // namespace

std::string ToJson(const Manifest& manifest) {
  Json layers = Json::array();
  for (const LayerShard& shard : manifest.layers) {
    Json json{{"start", shard.start}, {"end", shard.end}};
    json.update(ToJsonValue(shard.file));
    layers.push_back(WithWider(std::move(json), shard.wider));
  }
  Json heads = Json::array();
  for (const HeadSpec& head : manifest.heads) heads.push_back(ToJsonValue(head));
  Json json{{"schema", Manifest::kSchema},
            {"producer", manifest.producer},
            {"source", Json{{"file", manifest.source_file}, {"digest", manifest.source_digest}}},
            {"device", manifest.device},
            {"model", ToJsonValue(manifest.model)},
            {"tokenizer", ToJsonValue(manifest.tokenizer)},
            {"embedding", manifest.embedding ? ToJsonValue(*manifest.embedding) : Json(nullptr)},
            {"layers", std::move(layers)},
            {"heads", std::move(heads)}};
  if (manifest.auto_head) {
    json["auto_head"] = Json::object();
    if (manifest.auto_head->forecast) json["auto_head"]["forecast"] = *manifest.auto_head->forecast;
  }
  if (manifest.goldens) json["goldens"] = ToJsonValue(*manifest.goldens);
  if (!manifest.gates.empty()) {
    Json gates = Json::array();
    for (const GateRecord& record : manifest.gates) gates.push_back(ToJsonValue(record));
    json["gates"] = std::move(gates);
  }
  if (!manifest.weights.empty()) json["weights"] = manifest.weights;
  if (manifest.residual_scale != 1.0F) json["residual_scale"] = manifest.residual_scale;
  if (manifest.max_seq > 0) json["max_seq"] = manifest.max_seq;
  const std::string digest = DigestOf(json);
  json["digest"] = digest;
  return TextOf(json, 1) + "\n";
}

std::string ToJsonLine(const FileEntry& file) { return TextOf(ToJsonValue(file)) + "\n"; }

Result<FileEntry> FileEntryFromJsonLine(const std::string& line) {
  HW_TRY_VOID(CheckJsonDepth(line, "entry of a package", ErrorCode::kCorrupt));
  try {
    return FileFromJson(Json::parse(line));
  } catch (const nlohmann::json::exception& error) {
    return Fail(ErrorCode::kCorrupt, fmt::format("not an entry of a package: {}", error.what()));
  }
}

namespace {

void AddPaths(const Json& json, std::set<std::string>* paths) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_structured()) AddPaths(value, paths);
    if (key == "path" && value.is_string()) paths->insert(value.get<std::string>());
  }
}

}  // namespace

std::set<std::string> PathsInManifest(const std::string& text) {
  std::set<std::string> paths;
  if (!LooksLikeManifest(text)) return paths;
  AddPaths(Json::parse(text, nullptr, false), &paths);
  return paths;
}

bool LooksLikeManifest(const std::string& text) {
  if (NestsDeeper(text)) return false;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  const auto schema = json.find("schema");
  const auto producer = json.find("producer");
  return schema != json.end() && schema->is_number_integer() && producer != json.end() &&
         producer->is_string() && producer->get_ref<const std::string&>().rfind("headway ", 0) == 0;
}

Result<Manifest> ParseManifestJson(const std::string& text, const std::string& where) {
  HW_TRY_VOID(CheckJsonDepth(text, where, ErrorCode::kCorrupt));
  try {
    Json json = Json::parse(text);
    const int schema = json.at("schema").get<int>();
    if (schema != Manifest::kSchema) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: expected schema {}, found {} (pack again with this version)",
                              where, Manifest::kSchema, schema));
    }
    const std::string digest = json.at("digest").get<std::string>();
    json.erase("digest");
    const std::string found = DigestOf(json);
    if (digest != found) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{}: expected digest {}, found {} (altered by hand or damaged)",
                              where, digest, found));
    }
    return FromJson(json);
  } catch (const nlohmann::json::exception& error) {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: not a manifest: {}", where, error.what()));
  }
}

}  // namespace headway
