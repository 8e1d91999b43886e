// POST /v1/embeddings: the mean of a text's hidden states before the head's norm, or the last one, of
// length 1; POST /embedding, llama-server's form, where they may also be those of each token.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "server/endpoints.h"
#include "server/prompt_field.h"
#include "server/wire.h"

namespace headway::server {
namespace {

struct EmbeddingRequest {
  std::vector<PromptPiece> inputs;
  bool base64 = false;
  std::string pooling;    // mean, last, or none: a row each token
  bool normalise = true;  // to length 1
};

// What both forms have.
EmbeddingRequest ReadEmbedding(const Service& service, std::string_view input, Fields* fields) {
  EmbeddingRequest request;
  request.inputs = ReadPrompts(fields, input);
  request.pooling = service.Options().pooling;
  fields->Read("pooling", &request.pooling);
  if (request.pooling != "mean" && request.pooling != "last" && request.pooling != "none")
    fields->Wrong("pooling", "mean, last or none", request.pooling);
  request.normalise = request.pooling != "none";
  return request;
}

Parsed<EmbeddingRequest> ParseEmbedding(const Service& service, const Json& body) {
  Fields fields(body);
  EmbeddingRequest request = ReadEmbedding(service, "input", &fields);
  if (request.pooling == "none")
    fields.Wrong("pooling", "mean or last (POST /embedding has rows of each token)", "none");
  std::string format = "float";
  fields.Read("encoding_format", &format);
  if (format != "float" && format != "base64")
    fields.Wrong("encoding_format", "float or base64", format);
  request.base64 = format == "base64";
  const int64_t hidden_size = service.Model().pipeline->model().hidden_size;
  int64_t dimensions = hidden_size;
  fields.Read("dimensions", &dimensions, hidden_size, hidden_size);
  if (!fields.Good()) return Refuse(*fields.Mistake());
  return request;
}

// llama-server's own: `content` is `input`, too, and `embd_normalize` may be -1.
Parsed<EmbeddingRequest> ParseLlamaEmbedding(const Service& service, const Json& body) {
  Fields fields(body);
  EmbeddingRequest request =
      ReadEmbedding(service, fields.Has("content") ? "content" : "input", &fields);
  int64_t norm = request.normalise ? 2 : -1;
  fields.Read("embd_normalize", &norm, -1, 2);
  if (norm != -1 && norm != 2)
    fields.Wrong("embd_normalize", "-1 (as they are) or 2 (of length 1)", fmt::format("{}", norm));
  request.normalise = norm == 2;
  if (!fields.Good()) return Refuse(*fields.Mistake());
  return request;
}

void Normalise(std::span<float> state) {
  double square = 0.0;
  for (const float x : state) square += static_cast<double>(x) * static_cast<double>(x);
  const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (float& x : state) x = static_cast<float>(static_cast<double>(x) * scale);
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

// The inputs' answers, their states normalised where that is asked for.
Parsed<std::vector<WholeAnswer>> Embed(const Service& service, const EmbeddingRequest& request,
                                       const HttpRequest& http) {
  std::vector<ScheduledRequest> requests;
  const GenerationOptions options{.sampling = {}, .max_tokens = 0, .cache_prompt = false};
  for (const PromptPiece& piece : request.inputs) {
    HW_API_TRY(auto ids, EncodePiece(service.Tokens(), piece, "input"));
    HW_API_TRY(ScheduledRequest prepared, service.Prepare(std::move(ids), options, http));
    prepared.want_mean_state = request.pooling == "mean";
    prepared.want_all_states = request.pooling == "none";
    requests.push_back(std::move(prepared));
  }
  HW_API_TRY(const auto begun, service.Begin(std::move(requests), options, true, http));
  HW_API_TRY(auto whole, Collect(begun.get(), http.is_there));
  const auto hidden_size = static_cast<size_t>(service.Model().pipeline->model().hidden_size);
  for (WholeAnswer& answer : whole) {
    const std::span<float> states(answer.end.request.state);
    for (size_t begin = 0; request.normalise && begin < states.size(); begin += hidden_size)
      Normalise(states.subspan(begin, hidden_size));
  }
  return whole;
}

}  // namespace

HttpReply Embeddings(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  const auto request = ParseEmbedding(service, *body);
  if (!request) return ErrorReply(request.error());
  const auto whole = Embed(service, *request, http);
  if (!whole) return ErrorReply(whole.error());
  Json data = Json::array();
  int64_t prompt_tokens = 0;
  for (const WholeAnswer& answer : *whole) {
    const std::vector<float>& state = answer.end.request.state;
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

// A list of {"index", "embedding": rows}: one row, or one each token.
HttpReply LlamaEmbeddings(const Service& service, const HttpRequest& http) {
  const auto body = ParseJsonText(http.body);
  if (!body) return ErrorReply(FromError(body.error()));
  const auto request = ParseLlamaEmbedding(service, *body);
  if (!request) return ErrorReply(request.error());
  const auto whole = Embed(service, *request, http);
  if (!whole) return ErrorReply(whole.error());
  const auto hidden_size = static_cast<size_t>(service.Model().pipeline->model().hidden_size);
  Json list = Json::array();
  for (const WholeAnswer& answer : *whole) {
    const std::span<const float> states(answer.end.request.state);
    Json rows = Json::array();
    for (size_t begin = 0; begin < states.size(); begin += hidden_size) {
      const auto row = states.subspan(begin, hidden_size);
      rows.push_back(std::vector<float>(row.begin(), row.end()));
    }
    list.push_back({{"index", list.size()}, {"embedding", std::move(rows)}});
  }
  return JsonReply(list);
}

}  // namespace headway::server
