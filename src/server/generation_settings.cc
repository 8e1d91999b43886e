#include "server/generation_settings.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace headway::server {
namespace {

Json BiasesOf(const GenerationOptions& options) {
  Json list = Json::array();
  // -infinity, a ban, is null in JSON.
  const auto number = [](float bias) { return std::isinf(bias) ? Json(nullptr) : Json(bias); };
  for (const auto& [id, bias] : options.sampling.logit_bias)
    list.push_back({{"token", id}, {"bias", number(bias)}});
  for (const auto& [text, bias] : options.text_biases)
    list.push_back({{"text", text}, {"bias", number(bias)}});
  return list;
}

bool Says(const Json& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && !found->is_null();
}

}  // namespace

Json GenerationSettings(const GenerationOptions& options) {
  const SamplingParams& sampling = options.sampling;
  return {{"seed", options.has_seed ? Json(sampling.seed) : Json(-1)},
          {"temperature", sampling.temperature},
          {"top_k", sampling.top_k},
          {"top_p", sampling.top_p},
          {"min_p", sampling.min_p},
          {"repeat_last_n", sampling.repeat_last_n},
          {"repeat_penalty", sampling.repeat_penalty},
          {"presence_penalty", sampling.presence_penalty},
          {"frequency_penalty", sampling.frequency_penalty},
          {"logit_bias", BiasesOf(options)},
          {"n_predict", options.max_tokens},
          {"max_tokens", options.max_tokens},
          {"ignore_eos", options.ignore_end},
          {"n_cmpl", options.num_choices},
          {"stop", options.stop},
          {"stream", options.stream},
          {"n_probs", options.top_logprobs},
          {"post_sampling_probs", options.after_sampling},
          {"timings_per_token", options.timings_per_token},
          {"grammar", options.form.kind == TextForm::Kind::kGbnf ? options.form.text : ""}};
}

Json OnlyFields(const Json& answer, const std::vector<std::string>& names) {
  Json only = Json::object();
  for (const std::string& name : names) {
    const Json* at = &answer;
    for (size_t begin = 0; at != nullptr && begin <= name.size();) {
      const size_t end = std::min(name.find('/', begin), name.size());
      const std::string step = name.substr(begin, end - begin);
      const bool has = at->is_object() && at->contains(step);
      at = has ? &(*at)[step] : nullptr;
      begin = end + 1;
    }
    if (at != nullptr) only[name] = *at;
  }
  return only;
}

Json WithDefaults(Json body, const Json& defaults) {
  if (!body.is_object()) return body;
  constexpr const char* kLengths[] = {"n_predict", "max_tokens", "max_completion_tokens",
                                      "max_output_tokens"};
  const bool has_length = std::any_of(std::begin(kLengths), std::end(kLengths),
                                      [&](const char* name) { return Says(body, name); });
  for (const auto& [name, value] : defaults.items()) {
    if (Says(body, name.c_str()) || (has_length && name == "n_predict")) continue;
    body[name] = value;
  }
  return body;
}

}  // namespace headway::server
