// POST /v1/embeddings: the mean of a text's hidden states before the head's norm, or the last one, of
// length 1.

#include <cmath>
#include <cstring>
#include <utility>

#include "server/endpoints.h"
#include "server/prompt_field.h"
#include "server/wire.h"

namespace headway::server {
namespace {

struct EmbeddingRequest {
  std::vector<PromptPiece> inputs;
  bool base64 = false;
  bool mean = true;
};

Parsed<EmbeddingRequest> ParseEmbedding(const Json& body, int64_t hidden_size) {
  Fields fields(body);
  EmbeddingRequest request;
  request.inputs = ReadPrompts(&fields, "input");
  std::string format = "float";
  fields.Read("encoding_format", &format);
  if (format != "float" && format != "base64")
    fields.Wrong("encoding_format", "float or base64", format);
  request.base64 = format == "base64";
  std::string pooling = "mean";
  fields.Read("pooling", &pooling);
  if (pooling != "mean" && pooling != "last") fields.Wrong("pooling", "mean or last", pooling);
  request.mean = pooling == "mean";
  int64_t dimensions = hidden_size;
  fields.Read("dimensions", &dimensions, hidden_size, hidden_size);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  return request;
}

void Normalise(std::vector<float>* state) {
  double square = 0.0;
  for (const float x : *state) square += static_cast<double>(x) * static_cast<double>(x);
  const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (float& x : *state) x = static_cast<float>(static_cast<double>(x) * scale);
}

std::string Base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < count ? std::to_integer<uint32_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text += j <= count ? kLetters[bits >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

}  // namespace

HttpReply Embeddings(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  const auto request = ParseEmbedding(*body, service.Model().pipeline->model().hidden_size);
  if (!request) return ErrorReply(request.error());
  std::vector<ScheduledRequest> requests;
  const GenerationOptions options{.sampling = {}, .max_tokens = 0, .cache_prompt = false};
  for (const PromptPiece& piece : request->inputs) {
    auto ids = EncodePiece(service.Tokens(), piece, "input");
    if (!ids) return ErrorReply(ids.error());
    auto prepared = service.Prepare(*std::move(ids), options, http);
    if (!prepared) return ErrorReply(prepared.error());
    prepared->want_mean_state = request->mean;
    requests.push_back(*std::move(prepared));
  }
  auto begun = service.Begin(std::move(requests), options, true, http);
  if (!begun) return ErrorReply(begun.error());
  auto whole = Collect(begun->get(), http.is_there);
  if (!whole) return ErrorReply(whole.error());
  Json data = Json::array();
  int64_t prompt_tokens = 0;
  for (WholeAnswer& answer : *whole) {
    std::vector<float>& state = answer.end.request.state;
    Normalise(&state);
    prompt_tokens += answer.end.request.prompt_tokens;
    Json embedding = request->base64 ? Json(Base64(std::as_bytes(std::span(state)))) : Json(state);
    data.push_back(
        {{"object", "embedding"}, {"index", data.size()}, {"embedding", std::move(embedding)}});
  }
  return JsonReply(
      {{"object", "list"},
       {"data", std::move(data)},
       {"model", service.ModelName()},
       {"usage", {{"prompt_tokens", prompt_tokens}, {"total_tokens", prompt_tokens}}}});
}

}  // namespace headway::server
