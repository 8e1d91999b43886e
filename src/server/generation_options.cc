#include "server/generation_options.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

#include "sampling/sampling_params.h"

namespace headway::server {
namespace {

constexpr double kMostBias = 1000.0;
constexpr double kNoLimit = 1e300;
constexpr int64_t kLargest = int64_t{1} << 53;  // whole numbers that a double holds

// The id that a key spells.
std::optional<int64_t> IdOf(const std::string& key) {
  int64_t id = -1;
  const char* const end = key.data() + key.size();
  const auto parsed = std::from_chars(key.data(), end, id);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return id;
}

// OpenAI: {"1234": -100}; llama-server also {" word": -100}, which means each token of the text, and
// lists of pairs, where false bans: [[1234, -100], [" word", false]].
void ReadLogitBias(Fields* fields, GenerationOptions* options) {
  const Json* const found = fields->Find("logit_bias");
  if (found == nullptr) return;
  if (!found->is_structured())
    return fields->Wrong("logit_bias", "an object from ids or texts to numbers", KindOf(*found));
  const auto value_of = [&](const Json& bias) {
    if (bias.is_boolean() && !bias.get<bool>()) return -std::numeric_limits<float>::infinity();
    const double number = bias.is_number() ? bias.get<double>() : 2.0 * kMostBias;
    if (!(number >= -kMostBias && number <= kMostBias)) {
      fields->Wrong("logit_bias", fmt::format("numbers from {} to {}", -kMostBias, kMostBias),
                    bias.is_number() ? "a larger one" : KindOf(bias));
    }
    return static_cast<float>(number);
  };
  const auto add_id = [&](int64_t id, const Json& bias) {
    if (id < 0 || id > std::numeric_limits<int32_t>::max())
      return fields->Wrong("logit_bias", "token ids", fmt::format("{}", id));
    options->sampling.logit_bias.emplace_back(static_cast<int32_t>(id), value_of(bias));
  };
  for (const auto& [key, value] : found->items()) {
    if (found->is_object()) {
      if (const auto id = IdOf(key)) {
        add_id(*id, value);
      } else {
        options->text_biases.emplace_back(key, value_of(value));
      }
    } else if (!value.is_array() || value.size() != 2) {
      fields->Wrong("logit_bias", "pairs of an id or a text and a number", KindOf(value));
    } else if (value[0].is_string()) {
      options->text_biases.emplace_back(value[0].get<std::string>(), value_of(value[1]));
    } else if (value[0].is_number_integer()) {
      add_id(value[0].get<int64_t>(), value[1]);
    } else {
      fields->Wrong("logit_bias", "token ids or texts", KindOf(value[0]));
    }
    if (!fields->Good()) return;
  }
}

// Samplers and limits of llama-server that are not here, and what turns each of them off. To leave
// them out in silence would be to answer another request.
void RefuseWhatIsNotThere(Fields* fields) {
  struct Absent {
    const char* name;
    double off;  // and below
  };
  constexpr Absent kAbsent[] = {
      {"top_n_sigma", 0.0},    {"xtc_probability", 0.0}, {"dynatemp_range", 0.0},
      {"dry_multiplier", 0.0}, {"mirostat", 0.0},        {"adaptive_target", -1.0},
      {"min_keep", 1.0},       {"n_indent", 0.0},        {"t_max_predict_ms", 0.0},
  };
  for (const auto& [name, off] : kAbsent) {
    double value = off;
    fields->Read(name, &value, -kNoLimit, kNoLimit);
    if (value > off) fields->Wrong(name, "none (this server has it not)", fmt::format("{}", value));
  }
  double typical = 1.0;
  fields->Read("typical_p", &typical, 0.0, kNoLimit);
  if (typical < 1.0) fields->Wrong("typical_p", "1, which is off (this server has it not)", "less");
}

// The checks that runs have, too; their messages name the parameter.
void CheckNumbers(Fields* fields, const SamplingParams& sampling) {
  const auto good = sampling::ValidateNumbers(sampling);
  if (good) return;
  // "sampling: top-p: expected ..."
  std::string message = good.error().message;
  message.erase(0, message.find(": ") + 2);
  std::string name = message.substr(0, message.find(':'));
  for (char& c : name) c = c == '-' ? '_' : c;
  fields->Wrong(BadField(fields->PathOf(name), message));
}

}  // namespace

void ReadSampling(Fields* fields, GenerationOptions* options) {
  SamplingParams& sampling = options->sampling;
  fields->Read("temperature", &sampling.temperature, 0.0, 100.0);
  fields->Read("top_p", &sampling.top_p, 0.0, 1.0);
  if (sampling.top_p == 0.0F) {  // the best token alone
    sampling.top_p = 1.0F;
    sampling.top_k = 1;
  }
  fields->Read("min_p", &sampling.min_p, 0.0, 1.0);
  int64_t whole = sampling.top_k;
  fields->Read("top_k", &whole, -1, std::numeric_limits<int32_t>::max());
  sampling.top_k = static_cast<int32_t>(std::max<int64_t>(whole, 0));
  fields->Read("repeat_penalty", &sampling.repeat_penalty, 0.0, 1e6);
  fields->Read("repetition_penalty", &sampling.repeat_penalty, 0.0, 1e6);
  whole = sampling.repeat_last_n;
  fields->Read("repeat_last_n", &whole, -1, std::numeric_limits<int32_t>::max());
  sampling.repeat_last_n = static_cast<int32_t>(whole);
  fields->Read("presence_penalty", &sampling.presence_penalty, -2.0, 2.0);
  fields->Read("frequency_penalty", &sampling.frequency_penalty, -2.0, 2.0);
  int64_t seed = -1;
  fields->Read("seed", &seed, -kLargest, kLargest);
  options->has_seed = seed != -1;
  sampling.seed = static_cast<uint64_t>(seed);
  ReadLogitBias(fields, options);
  if (fields->Good()) CheckNumbers(fields, sampling);
  RefuseWhatIsNotThere(fields);
  fields->Read("ignore_eos", &options->ignore_end);
  if (fields->Find("finish_within_budget") != nullptr) {
    bool finish = true;
    fields->Read("finish_within_budget", &finish);
    options->finish_within_budget = finish;
  }
  fields->Read("cache_prompt", &options->cache_prompt);
  fields->Read("timeout", &options->timeout_s, 0.0, 1e6);
}

void ReadStops(Fields* fields, std::string_view name, std::vector<std::string>* stops) {
  fields->Read(name, stops);
  if (stops->size() > static_cast<size_t>(kMostStops)) {
    return fields->Wrong(name, fmt::format("at most {} strings", kMostStops),
                         fmt::format("{}", stops->size()));
  }
  std::erase(*stops, std::string());
  for (const std::string& stop : *stops) {
    if (stop.size() <= kLongestStop) continue;
    return fields->Wrong(name, fmt::format("strings of at most {} bytes", kLongestStop),
                         fmt::format("{}", stop.size()));
  }
}

void ReadWhiteSpace(Fields* fields, TextForm* form) {
  std::string white_space = "canonical";
  fields->Read("json_whitespace", &white_space);
  if (white_space != "canonical" && white_space != "free") {
    fields->Wrong("json_whitespace", "canonical or free", white_space);
  } else if (white_space == "free" && form->kind != TextForm::Kind::kSchema) {
    fields->Wrong("json_whitespace", "a JSON schema beside free", "none");
  } else if (white_space == "free") {
    form->free_white_space = true;
  }
}

void ReadForm(Fields* fields, TextForm* form) {
  int num_forms = 0;
  const auto set_schema = [&](const Json& schema, bool unnamed) {
    *form = {
        .kind = TextForm::Kind::kSchema, .text = JsonText(schema), .unnamed_properties = unnamed};
    ++num_forms;
  };
  if (const Json* const format = fields->Find("response_format"); format != nullptr) {
    Fields inner(*format, "response_format");
    std::string type;
    inner.Read("type", &type);
    if (type == "json_object") {
      const Json* const schema = inner.Find("schema");
      set_schema(schema == nullptr ? Json{{"type", "object"}} : *schema, schema == nullptr);
    } else if (type == "json_schema") {
      const Json* const outer = inner.Find("json_schema");
      const Json empty = Json::object();
      Fields named(outer == nullptr ? empty : *outer, "response_format.json_schema");
      const Json* const schema = named.Find("schema");
      if (schema == nullptr) {
        named.Wrong("schema", "a JSON schema", "none");
      } else {
        set_schema(*schema, false);
      }
      if (!named.Good()) fields->Wrong(*named.Mistake());
    } else if (type != "text" && inner.Good()) {
      inner.Wrong("type", "text, json_object or json_schema", type.empty() ? "none" : type);
    }
    if (!inner.Good()) fields->Wrong(*inner.Mistake());
  }
  if (const Json* const schema = fields->Find("json_schema"); schema != nullptr)
    set_schema(*schema, false);
  std::string gbnf;
  fields->Read("grammar", &gbnf);
  if (!gbnf.empty()) {
    *form = {.kind = TextForm::Kind::kGbnf, .text = std::move(gbnf)};
    ++num_forms;
  }
  ReadWhiteSpace(fields, form);
  if (num_forms > 1)
    fields->Wrong("grammar", "one of grammar, json_schema and response_format", "several");
}

void ReadStreaming(Fields* fields, GenerationOptions* options) {
  fields->Read("stream", &options->stream);
  fields->Read("timings_per_token", &options->timings_per_token);
  fields->Read("return_progress", &options->return_progress);
  fields->Read("verbose", &options->verbose);
  const Json* const more = fields->Find("stream_options");
  if (more == nullptr) return;
  Fields inner(*more, "stream_options");
  inner.Read("include_usage", &options->include_usage);
  if (!inner.Good()) fields->Wrong(*inner.Mistake());
}

}  // namespace headway::server
