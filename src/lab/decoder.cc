#include "lab/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "engine/open.h"
#include "engine/session.h"
#include "gates/stack.h"
#include "pack/texts.h"

namespace headway::lab {
namespace {

LoadWeights LoadOf(const std::string& load) {
  if (load == "copy") return LoadWeights::kCopy;
  return load == "map" ? LoadWeights::kMap : LoadWeights::kAuto;
}

// The golden text's tokens, over and over.
Result<std::vector<int32_t>> Text(const OpenedModel& model, int64_t count) {
  HW_TRY(const std::vector<int32_t> once,
         model.tokenizer->Encode(pack::kGoldenText, {.add_bos = true}));
  std::vector<int32_t> ids;
  for (size_t i = 0; static_cast<int64_t>(ids.size()) < count; ++i)
    ids.push_back(once[i % once.size()]);
  return ids;
}

std::string HashOf(std::span<const int32_t> ids) {
  return fmt::format("{:016x}", Hash64(std::as_bytes(ids)));
}

void Divide(Sample* sample, double by) {
  for (double* value :
       {&sample->step_ns, &sample->embed_ns, &sample->rotary_ns, &sample->layers_ns,
        &sample->head_ns, &sample->predict_ns, &sample->reduce_ns, &sample->head_bytes,
        &sample->layers_bytes, &sample->rows_screened, &sample->rows_rescored, &sample->fallbacks})
    *value /= by;
  for (double& value : sample->layer_shard_ns) value /= by;
  for (double& value : sample->head_shard_ns) value /= by;
}

std::vector<double> Difference(const std::vector<uint64_t>& after,
                               const std::vector<uint64_t>& before) {
  std::vector<double> difference;
  for (size_t i = 0; i < after.size(); ++i)
    difference.push_back(static_cast<double>(after[i] - before[i]));
  return difference;
}

Sample SampleOf(const Counters& before, const Counters& after) {
  const auto since = [&](uint64_t Counters::*field) {
    return static_cast<double>(after.*field - before.*field);
  };
  Sample sample{.step_ns = since(&Counters::step_ns),
                .embed_ns = since(&Counters::embed_ns),
                .rotary_ns = since(&Counters::rope_mask_ns),
                .layers_ns = since(&Counters::layers_ns),
                .head_ns = since(&Counters::head_ns),
                .predict_ns = since(&Counters::head_predict_ns),
                .reduce_ns = since(&Counters::head_reduce_ns),
                .head_bytes = since(&Counters::head_bytes_read),
                .layers_bytes = since(&Counters::layers_bytes_read),
                .rows_screened = since(&Counters::head_rows_screened),
                .rows_rescored = since(&Counters::head_rows_rescored),
                .fallbacks = since(&Counters::head_fallbacks),
                .layer_shard_ns = Difference(after.layer_shard_ns, before.layer_shard_ns),
                .head_shard_ns = Difference(after.head_shard_ns, before.head_shard_ns),
                .tokens_hash = ""};
  Divide(&sample, since(&Counters::steps));
  return sample;
}

class SessionDecoder final : public Decoder {
 public:
  SessionDecoder(std::unique_ptr<OpenedModel> model, std::unique_ptr<Session> session,
                 int64_t context, int64_t tokens)
      : model_(std::move(model)),
        session_(std::move(session)),
        context_(context),
        tokens_(tokens) {}

  Result<Sample> Round() override {
    session_->Truncate(context_);
    const Counters before = session_->GetCounters();
    for (int64_t i = 0; i < tokens_; ++i) {
      HW_TRY([[maybe_unused]] const auto choice, session_->Decode());
    }
    Sample sample = SampleOf(before, session_->GetCounters());
    sample.tokens_hash = HashOf(session_->Tokens().subspan(static_cast<size_t>(context_)));
    return sample;
  }

 private:
  std::unique_ptr<OpenedModel> model_;
  std::unique_ptr<Session> session_;
  int64_t context_;
  int64_t tokens_;
};

// T tokens of a fixed text a step, as when a guess is verified. The cache is written again at the
// same positions every round.
class BatchDecoder final : public Decoder {
 public:
  BatchDecoder(std::unique_ptr<OpenedModel> model, std::unique_ptr<Sequence> sequence,
               std::vector<int32_t> ids, int64_t context, int64_t tokens, int64_t batch)
      : model_(std::move(model)),
        sequence_(std::move(sequence)),
        ids_(std::move(ids)),
        context_(context),
        batch_(batch),
        num_steps_(std::max<int64_t>(1, tokens / batch)) {}

  Result<Sample> Round() override {
    sequence_->Truncate(std::min(sequence_->Length(), context_));
    HW_TRY_VOID(Read(context_ - sequence_->Length(), nullptr));
    const Counters before = *sequence_->Uncounted();
    const kernels::KernelSet& kernels = model_->kernels->kernels;
    std::vector<int32_t> choices;
    uint64_t choosing_ns = 0;
    const Executor::LogitsSink choose = [&](int64_t, std::span<const float> logits) {
      const uint64_t start = NowNs();
      const auto best = kernels.argmax(logits.data(), static_cast<int64_t>(logits.size()));
      choices.push_back(static_cast<int32_t>(best.index));
      choosing_ns += NowNs() - start;
    };
    const uint64_t start = NowNs();
    for (int64_t step = 0; step < num_steps_; ++step) HW_TRY_VOID(Read(batch_, &choose));
    Counters after = *sequence_->Uncounted();
    after.step_ns += NowNs() - start;
    after.steps += static_cast<uint64_t>(num_steps_ * batch_);  // figures are a token's
    after.head_reduce_ns += choosing_ns;
    after.head_ns += after.head_predict_ns - before.head_predict_ns + choosing_ns;
    Sample sample = SampleOf(before, after);
    sample.tokens_hash = HashOf(choices);
    return sample;
  }

 private:
  // The next `count` tokens of the text, and what is not cached before them.
  Result<void> Read(int64_t count, const Executor::LogitsSink* sink_or_null) {
    const auto at = static_cast<size_t>(sequence_->Length());
    sequence_->AddPrompt(std::span(ids_).subspan(at, static_cast<size_t>(count)));
    return model_->executor->Read(sequence_.get(), sequence_->Length(), sink_or_null);
  }

  std::unique_ptr<OpenedModel> model_;
  std::unique_ptr<Sequence> sequence_;
  std::vector<int32_t> ids_;
  int64_t context_;
  int64_t batch_;
  int64_t num_steps_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> OpenDecoder(const Spec& spec, const VariantSpec& variant,
                                             const std::string& package) {
  HW_TRY(auto model,
         OpenPackage(package, {.threads = variant.threads > 0 ? variant.threads : spec.threads,
                               .head = variant.head,
                               .load = LoadOf(spec.load)}));
  HW_TRY_VOID(CheckIntegrity(*model, true));  // before anything is timed
  const ModelConfig& config = model->pipeline->model();
  const int64_t length = spec.context + spec.tokens + variant.batch_tokens;
  int64_t limit = config.max_position_embeddings;
  // One regime of rotary factors: a crossing would rebuild the cache inside a round.
  if (config.original_max_position_embeddings > 0)
    limit = std::min(limit, config.original_max_position_embeddings);
  if (length > limit) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("measure: expected context + tokens + batch_tokens of at most {} for "
                            "this model, found {}",
                            limit, length));
  }
  HW_TRY(std::vector<int32_t> ids, Text(*model, length));
  SessionOptions options;
  options.capacity_tokens = length;
  if (variant.batch_tokens > 1) {
    if (!gates::GivesLogits(variant.head))
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("head {}: batch_tokens above 1 are measured on full heads only",
                              variant.head));
    HW_TRY(auto sequence, model->executor->NewSequence(std::move(options)));
    return std::unique_ptr<Decoder>(
        std::make_unique<BatchDecoder>(std::move(model), std::move(sequence), std::move(ids),
                                       spec.context, spec.tokens, variant.batch_tokens));
  }
  HW_TRY(auto session, Session::Create(model->executor, std::move(options)));
  HW_TRY_VOID(session->Append(std::span(ids).first(static_cast<size_t>(spec.context))));
  return std::unique_ptr<Decoder>(std::make_unique<SessionDecoder>(
      std::move(model), std::move(session), spec.context, spec.tokens));
}

}  // namespace headway::lab
