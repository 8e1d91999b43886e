// Texts and ids: POST /tokenize, /detokenize, /apply-template. The first two in llama-server's
// words ("content") and in vLLM's ("prompt").

#include <fmt/format.h>

#include "base/utf8.h"
#include "server/chat_prompt.h"
#include "server/endpoints.h"
#include "server/prompt_field.h"
#include "server/wire.h"

namespace headway::server {
namespace {

// A token's bytes as a string, or as numbers where they are no text by themselves.
Json PieceOf(std::string_view bytes) {
  if (Utf8ValidPrefixBytes(bytes) == bytes.size()) return bytes;
  Json numbers = Json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return numbers;
}

}  // namespace

HttpReply Tokenize(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  Fields fields(*body);
  const bool is_vllm = fields.Has("prompt");
  const char* const text_field = is_vllm ? "prompt" : "content";
  std::string text;
  bool add_special = is_vllm;
  bool parse_special = true;
  bool with_pieces = false;
  bool token_strings = false;
  fields.Read(text_field, &text);
  fields.Read(is_vllm ? "add_special_tokens" : "add_special", &add_special);
  fields.Read("parse_special", &parse_special);
  fields.Read("with_pieces", &with_pieces);
  fields.Read("return_token_strs", &token_strings);
  if (!fields.Good()) return ErrorReply(*fields.Mistake());
  const tokenizer::Tokenizer& tokenizer = service.Tokens();
  const auto ids = tokenizer.Encode(text, {.add_bos = add_special, .parse_special = parse_special});
  if (!ids) return ErrorReply(FromError(ids.error(), text_field));
  Json tokens = Json::array();
  Json strings = Json::array();
  for (const int32_t id : *ids) {
    const std::string_view bytes = tokenizer.TokenBytes(id);
    if (token_strings) strings.push_back(bytes);
    if (with_pieces) {
      tokens.push_back({{"id", id}, {"piece", PieceOf(bytes)}});
    } else {
      tokens.push_back(id);
    }
  }
  Json reply = {{"tokens", std::move(tokens)}};
  if (is_vllm) {
    reply["count"] = ids->size();
    reply["max_model_len"] = service.ContextTokens();
    reply["token_strs"] = token_strings ? std::move(strings) : Json(nullptr);
  }
  return JsonReply(reply);
}

HttpReply Detokenize(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  Fields fields(*body);
  const Json* const tokens = fields.Find("tokens");
  if (tokens == nullptr || !tokens->is_array()) {
    fields.Wrong("tokens", "an array of token ids", tokens == nullptr ? "none" : KindOf(*tokens));
  }
  if (!fields.Good()) return ErrorReply(*fields.Mistake());
  std::vector<int32_t> ids;
  for (const Json& id : *tokens) {
    const int64_t number = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (number < 0 || number >= service.Tokens().VocabSize()) {
      return ErrorReply(BadField("tokens", fmt::format("tokens: expected ids from 0 to {}",
                                                       service.Tokens().VocabSize() - 1)));
    }
    ids.push_back(static_cast<int32_t>(number));
  }
  const std::string text = service.Tokens().Decode(ids, true);
  return JsonReply({{"content", text}, {"prompt", text}});
}

HttpReply ApplyTemplate(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  const auto request = ParseChatCompletion(*body);
  if (!request) return ErrorReply(request.error());
  const auto text = RenderChat(service, *request);
  if (!text) return ErrorReply(text.error());
  return JsonReply({{"prompt", *text}});
}

}  // namespace headway::server
