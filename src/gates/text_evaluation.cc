#include "gates/text_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/session.h"
#include "gates/perplexity.h"

namespace headway::gates {
namespace {

Result<std::unique_ptr<Session>> NewSession(const OpenedModel& model, int64_t capacity_tokens,
                                            KvType kv) {
  SessionOptions options;
  options.kv = kv;
  options.capacity_tokens = capacity_tokens;
  return Session::Create(model.executor, std::move(options));
}

}  // namespace

Result<PerplexityReport> PerplexityOfText(const OpenedModel& model, std::string_view text,
                                          PerplexityOptions options, KvType kv) {
  if (options.window_tokens > model.summary.context_tokens) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("perplexity: expected windows of at most the model's context of {} "
                            "tokens, found {}",
                            model.summary.context_tokens, options.window_tokens));
  }
  const tokenizer::Vocabulary& vocabulary = model.tokenizer->vocabulary();
  if (vocabulary.add_bos) options.first_token = vocabulary.bos_id;
  HW_TRY(const std::vector<int32_t> ids, model.tokenizer->Encode(text, {}));
  HW_TRY(const std::unique_ptr<Session> session, NewSession(model, options.window_tokens, kv));
  return Perplexity(ids, options, SourceOf(session.get()));
}

Result<AgreementReport> AgreementOnText(const OpenedModel& model, const gguf::GgufFile& reference,
                                        std::string_view text, int64_t max_tokens, KvType kv) {
  HW_TRY(const auto line, straightline::StraightLine::Open(reference));
  if (line.GetConfig().vocab_size != model.summary.vocab_size) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("agreement: expected a reference with the model's {} tokens, found {} "
                    "in {}",
                    model.summary.vocab_size, line.GetConfig().vocab_size, reference.Path()));
  }
  HW_TRY(std::vector<int32_t> ids, model.tokenizer->Encode(text, {}));
  int64_t limit = model.summary.context_tokens;
  if (max_tokens > 0) limit = std::min(limit, max_tokens);
  if (static_cast<int64_t>(ids.size()) > limit) ids.resize(static_cast<size_t>(limit));
  HW_TRY(const std::unique_ptr<Session> session,
         NewSession(model, std::max<int64_t>(1, static_cast<int64_t>(ids.size())), kv));
  return Compare(ids, line, SourceOf(session.get()));
}

LogitsSource SourceOf(Session* session) {
  return [session](std::span<const int32_t> ids, int64_t first_position,
                   const LogitsSink& sink) -> Result<void> {
    session->Truncate(0);
    const auto unscored = static_cast<size_t>(first_position);
    if (unscored > 0) HW_TRY_VOID(session->Append(ids.first(unscored)));
    return session->AppendWithLogits(ids.subspan(unscored), sink);
  };
}

}  // namespace headway::gates
