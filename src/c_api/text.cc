// Texts and token ids.

#include <fmt/format.h>

#include <utility>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"

namespace headway::c_api {
namespace {

// Of tokenising; detokenising knows KEEP_SPECIAL alone.
constexpr uint32_t kTokenizeFlags = HEADWAY_PARSE_SPECIAL | HEADWAY_NO_MARKS;

Result<void> CheckFlags(uint32_t flags, uint32_t known) {
  if ((flags & ~known) == 0) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("flags: expected some of {:#x}, found {:#x}", known, flags));
}

Result<void> CheckIds(const tokenizer::Tokenizer& tokenizer, std::span<const int32_t> ids) {
  return TokenLimits{.vocab_size = tokenizer.VocabSize()}.CheckIds(ids);
}

}  // namespace
}  // namespace headway::c_api

using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_tokenize(const headway_engine* engine, const char* text, size_t num_bytes,
                                uint32_t flags, int32_t* ids, size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckFlags(flags, kTokenizeFlags));
    HW_TRY(const std::string_view given, ReadText(text, num_bytes, "text"));
    HW_TRY(const std::vector<int32_t> found,
           shared->model->tokenizer->Encode(
               given, {.add_bos = (flags & HEADWAY_NO_MARKS) == 0,
                       .parse_special = (flags & HEADWAY_PARSE_SPECIAL) != 0}));
    return WriteList(std::span<const int32_t>(found), ids, capacity, count);
  });
}

headway_status headway_detokenize(const headway_engine* engine, const int32_t* ids, size_t num_ids,
                                  uint32_t flags, char* text, size_t capacity, size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckFlags(flags, HEADWAY_KEEP_SPECIAL));
    HW_TRY(const auto given, ReadIds(ids, num_ids, "ids"));
    HW_TRY_VOID(CheckIds(*shared->model->tokenizer, given));
    const std::string found =
        shared->model->tokenizer->Decode(given, (flags & HEADWAY_KEEP_SPECIAL) != 0);
    return WriteList(std::span<const char>(found), text, capacity, count);
  });
}

headway_status headway_find_special(const headway_engine* engine, const char* text,
                                    size_t num_bytes, int32_t* id) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckGiven(id, "answer's place"));
    HW_TRY(const std::string_view given, ReadText(text, num_bytes, "text"));
    *id = shared->model->tokenizer->FindSpecialToken(given).value_or(-1);
    return HEADWAY_OK;
  });
}

headway_status headway_is_end_token(const headway_engine* engine, int32_t id, int32_t* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckIds(*shared->model->tokenizer, {&id, 1}));
    HW_TRY_VOID(CheckGiven(out, "answer's place"));
    *out = shared->model->tokenizer->IsEndOfGeneration(id) ? 1 : 0;
    return HEADWAY_OK;
  });
}

headway_status headway_stream_new(const headway_engine* engine, int32_t at_start,
                                  const char* const* stops, size_t num_stops,
                                  headway_stream** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(auto shared, ModelOf(engine));
    HW_TRY_VOID(CheckGiven(out, "stream's place"));
    HW_TRY(std::vector<std::string> texts, ReadStops(stops, num_stops));
    const headway::tokenizer::StreamDecoder decoder(*shared->model->tokenizer, at_start != 0);
    *out = new headway_stream{.shared = std::move(shared),
                              .decoder = decoder,
                              .stops = headway::StopMatcher(std::move(texts)),
                              .text = ""};
    return HEADWAY_OK;
  });
}

headway_status headway_stream_push(headway_stream* stream, int32_t id, const char** text,
                                   size_t* num_bytes) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(stream, "stream"));
    HW_TRY_VOID(CheckGiven(text, "text's place"));
    HW_TRY_VOID(CheckGiven(num_bytes, "number of bytes' place"));
    HW_TRY_VOID(CheckIds(*stream->shared->model->tokenizer, {&id, 1}));
    stream->text = stream->stops.Push(stream->decoder.Push(id));
    *text = stream->text.c_str();
    *num_bytes = stream->text.size();
    return HEADWAY_OK;
  });
}

headway_status headway_stream_stopped(const headway_stream* stream, int32_t* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(stream, "stream"));
    HW_TRY_VOID(CheckGiven(out, "answer's place"));
    *out = stream->stops.Found() ? 1 : 0;
    return HEADWAY_OK;
  });
}

headway_status headway_stream_finish(headway_stream* stream, const char** text, size_t* num_bytes) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(stream, "stream"));
    HW_TRY_VOID(CheckGiven(text, "text's place"));
    HW_TRY_VOID(CheckGiven(num_bytes, "number of bytes' place"));
    stream->text = stream->stops.Push(stream->decoder.Finish());
    stream->text += stream->stops.Finish();
    *text = stream->text.c_str();
    *num_bytes = stream->text.size();
    return HEADWAY_OK;
  });
}

void headway_stream_free(headway_stream* stream) { delete stream; }
