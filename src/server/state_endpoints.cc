// What runs here: GET /health, /v1/models, /tokenizer_info, /props, /slots.

#include <utility>

#include "headway/version.h"
#include "server/endpoints.h"
#include "server/generation_settings.h"
#include "server/token_facts.h"
#include "server/wire.h"

namespace headway::server {
namespace {

std::string TokenName(const Service& service, const std::optional<int32_t>& id) {
  return id ? std::string(service.Tokens().TokenBytes(*id)) : std::string();
}

std::string ChatTemplate(const Service& service) {
  const std::string& own = service.Options().chat_template;
  return own.empty() ? service.Tokens().vocabulary().chat_template : own;
}

}  // namespace

HttpReply Health(const Service&, const HttpRequest&) { return JsonReply({{"status", "ok"}}); }

HttpReply ListModels(const Service& service, const HttpRequest&) {
  const ModelSummary& summary = service.Model().summary;
  const ModelConfig& config = service.Model().pipeline->model();
  return JsonReply({{"object", "list"},
                    {"data", Json::array({{{"id", service.ModelName()},
                                           {"object", "model"},
                                           {"aliases", service.Aliases()},
                                           {"created", service.StartedAt()},
                                           {"owned_by", "headway"},
                                           {"meta",
                                            {{"architecture", summary.architecture},
                                             {"head", summary.head},
                                             {"n_vocab", summary.vocab_size},
                                             {"n_ctx", service.ContextTokens()},
                                             {"n_ctx_train", config.max_position_embeddings},
                                             {"n_embd", config.hidden_size}}}}})}});
}

// vLLM's; EleutherAI's harness asks for it before it leaves tokenizing to the server.
HttpReply TokenizerInfo(const Service& service, const HttpRequest&) {
  const tokenizer::Vocabulary& vocabulary = service.Tokens().vocabulary();
  const auto name_or_null = [&](const std::optional<int32_t>& id) {
    return id ? Json(TokenName(service, id)) : Json(nullptr);
  };
  Json info = {{"tokenizer_class", "headway"},
               {"vocab_size", service.Tokens().VocabSize()},
               {"model_max_length", service.ContextTokens()},
               {"bos_token", name_or_null(vocabulary.bos_id)},
               {"eos_token", name_or_null(vocabulary.eos_id)}};
  if (std::string text = ChatTemplate(service); !text.empty())
    info["chat_template"] = std::move(text);
  return JsonReply(info);
}

HttpReply Props(const Service& service, const HttpRequest&) {
  const tokenizer::Vocabulary& vocabulary = service.Tokens().vocabulary();
  const ModelSummary& summary = service.Model().summary;
  const auto defaults = ParseLlamaCompletion(WithDefaults({{"prompt", ""}}, service.Defaults()));
  return JsonReply(
      {{"default_generation_settings",
        {{"n_ctx", service.ContextTokens()}, {"params", GenerationSettings(defaults->options)}}},
       {"total_slots", service.GetScheduler()->Options().most_rows},
       {"model_alias", service.ModelName()},
       {"model_path", service.Options().model_path},
       {"modalities", {{"vision", false}, {"audio", false}}},
       {"chat_template", ChatTemplate(service)},
       {"bos_token", TokenName(service, vocabulary.bos_id)},
       {"eos_token", TokenName(service, vocabulary.eos_id)},
       {"build_info", std::string("headway ") + kVersion},
       {"head", summary.head},
       {"head_bytes", WholeHeadBytes(*service.Model().pipeline)},
       {"instruction_set", summary.instruction_set},
       {"threads", summary.threads}});
}

HttpReply Slots(const Service& service, const HttpRequest&) {
  Json slots = Json::array();
  for (const RunningRequest& running : service.GetScheduler()->Running()) {
    slots.push_back({{"id", slots.size()},
                     {"id_task", running.id},
                     {"n_ctx", service.ContextTokens()},
                     {"is_processing", true},
                     {"is_reading_prompt", running.is_reading},
                     {"n_prompt_tokens", running.prompt_tokens},
                     {"n_prompt_tokens_cached", running.cached_tokens},
                     {"n_decoded", running.new_tokens}});
  }
  const auto all = static_cast<size_t>(service.GetScheduler()->Options().most_rows);
  while (slots.size() < all) {
    slots.push_back(
        {{"id", slots.size()}, {"n_ctx", service.ContextTokens()}, {"is_processing", false}});
  }
  return JsonReply(slots);
}

}  // namespace headway::server
