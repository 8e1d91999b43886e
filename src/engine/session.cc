#include "engine/session.h"

#include <utility>

#include "base/clock.h"
#include "base/digest.h"

namespace headway {

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Executor> executor,
                                                 SessionOptions options) {
  HW_TRY(auto sequence, executor->NewSequence(std::move(options)));
  return std::unique_ptr<Session>(new Session(std::move(executor), std::move(sequence)));
}

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Pipeline> pipeline,
                                                 ThreadPool* pool,
                                                 const kernels::KernelSet& kernels,
                                                 SessionOptions options) {
  HW_TRY(auto executor, Executor::Create(std::move(pipeline), pool, kernels));
  return Create(std::move(executor), std::move(options));
}

Result<void> Session::Append(std::span<const int32_t> ids) {
  HW_TRY_VOID(sequence_->CheckAppend(ids));
  if (ids.empty()) return {};
  sequence_->AddPrompt(ids);
  const uint64_t start = NowNs();
  HW_TRY_VOID(executor_->Read(sequence_.get(), sequence_->Length(), nullptr));
  sequence_->CountPrefill(NowNs() - start, ids.size());
  return {};
}

Result<void> Session::AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink) {
  HW_TRY_VOID(executor_->CheckHasLogits("text"));
  HW_TRY_VOID(sequence_->CheckAppend(ids));
  if (ids.empty()) return {};
  // What is pending has logits that nobody asked for, but belongs to the longer sequence.
  const int64_t length = sequence_->Length() + static_cast<int64_t>(ids.size());
  HW_TRY_VOID(executor_->Read(sequence_.get(), length, nullptr));
  sequence_->AddPrompt(ids);
  return executor_->Read(sequence_.get(), length, &sink);
}

Result<sampling::Sampler::Choice> Session::Decode() {
  HW_TRY(const auto choices, DecodeWithDrafts({}));
  return choices.front();
}

Result<std::span<const sampling::Sampler::Choice>> Session::DecodeWithDrafts(
    std::span<const int32_t> drafts) {
  BatchRow row{.sequence = sequence_.get(), .drafts = drafts};
  executor_->Step({&row, 1});
  return std::move(row.choices);
}

Result<std::span<const float>> Session::Logits() {
  HW_TRY_VOID(executor_->CheckHasLogits("text"));
  if (sequence_->Length() == 0)
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  HW_TRY_VOID(executor_->Read(sequence_.get(), sequence_->Length(), nullptr));
  return executor_->Logits(sequence_.get());
}

uint64_t Session::LastLogitsHash() {
  if (sequence_->Hidden().empty()) return 0;
  const auto logits = executor_->Logits(sequence_.get());
  return logits ? Hash64(std::as_bytes(*logits)) : 0;
}

}  // namespace headway
