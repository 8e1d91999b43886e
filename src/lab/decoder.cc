#include "lab/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "api/opened_model.h"
#include "base/digest.h"
#include "gate/golden_text.h"
#include "gate/stack.h"
#include "runtime/clock.h"
#include "runtime/full_head.h"
#include "runtime/layer_stack.h"
#include "runtime/session.h"
#include "runtime/share_counters.h"

namespace headway::lab {
namespace {

LoadWeights LoadOf(const std::string& load) {
  if (load == "copy") return LoadWeights::kCopy;
  return load == "map" ? LoadWeights::kMap : LoadWeights::kAuto;
}

// The golden text's tokens, over and over.
Result<std::vector<int32_t>> Text(const OpenedModel& model, int64_t count) {
  HW_TRY(const std::vector<int32_t> once,
         model.tokenizer->Encode(gate::kGoldenText, {.add_bos = true}));
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
  BatchDecoder(std::unique_ptr<OpenedModel> model, std::vector<int32_t> ids, int64_t context,
               int64_t tokens, int64_t batch)
      : model_(std::move(model)),
        ids_(std::move(ids)),
        context_(context),
        batch_(batch),
        num_steps_(std::max<int64_t>(1, tokens / batch)),
        cache_(model_->pipeline.get(), {.capacity_tokens = context + num_steps_ * batch}),
        layers_(model_->pipeline.get(), model_->pool.get(), model_->kernels->kernels),
        head_(model_->pipeline.get(), model_->kernels->kernels, batch) {
    layers_.Reserve(context + num_steps_ * batch);
    counters_ = NoCounts(*model_->pipeline);
    while (cache_.NumCached() < context)
      RunLayers(std::min(layers_.MaxStep(), context - cache_.NumCached()));
  }

  Result<Sample> Round() override {
    const Counters before = counters_;
    std::vector<int32_t> choices;
    cache_.KeepCached(context_);
    for (int64_t step = 0; step < num_steps_; ++step) {
      const uint64_t start = NowNs();
      RunLayers(batch_);
      HW_TRY_VOID(RunHead(&choices));
      counters_.step_ns += NowNs() - start;
    }
    counters_.steps += static_cast<uint64_t>(num_steps_ * batch_);
    Sample sample = SampleOf(before, counters_);
    sample.tokens_hash = HashOf(choices);
    return sample;
  }

 private:
  void RunLayers(int64_t count) {
    const LayerRow row{.cache = &cache_,
                       .ids = std::span(ids_).subspan(static_cast<size_t>(cache_.NumCached()),
                                                      static_cast<size_t>(count))};
    layers_.Run({&row, 1}, &counters_);
    cache_.Extend(count);
  }

  Result<void> RunHead(std::vector<int32_t>* choices) {
    const int64_t V = model_->pipeline->model().vocab_size;
    const uint64_t start = NowNs();
    HW_TRY(const std::span<const float> logits,
           head_.Logits(layers_.Hidden(), batch_, cache_.NumCached() - batch_, &counters_));
    const uint64_t predicted = NowNs();
    for (int64_t t = 0; t < batch_; ++t)
      choices->push_back(
          static_cast<int32_t>(model_->kernels->kernels.argmax(logits.data() + t * V, V).index));
    const uint64_t end = NowNs();
    counters_.head_reduce_ns += end - predicted;
    counters_.head_ns += end - start;
    return {};
  }

  std::unique_ptr<OpenedModel> model_;
  std::vector<int32_t> ids_;
  int64_t context_;
  int64_t batch_;
  int64_t num_steps_;
  SequenceCache cache_;
  LayerStack layers_;
  FullHead head_;
  Counters counters_;  // `steps` counts tokens: figures are a token's
};

}  // namespace

Result<std::unique_ptr<Decoder>> OpenDecoder(const Spec& spec, const VariantSpec& variant,
                                             const std::string& package) {
  HW_TRY(auto model,
         OpenModel(package, {.threads = variant.threads > 0 ? variant.threads : spec.threads,
                             .instruction_set = "",
                             .topology = "",
                             .head = variant.head,
                             .cache_directory = "",
                             .load = LoadOf(spec.load)}));
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
  if (variant.batch_tokens > 1) {
    if (!gate::GivesLogits(variant.head))
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("head {}: batch_tokens above 1 are measured on full heads only",
                              variant.head));
    return std::unique_ptr<Decoder>(std::make_unique<BatchDecoder>(
        std::move(model), std::move(ids), spec.context, spec.tokens, variant.batch_tokens));
  }
  SessionOptions options;
  options.capacity_tokens = length;
  HW_TRY(auto session, Session::Create(model->executor, std::move(options)));
  HW_TRY_VOID(session->Append(std::span(ids).first(static_cast<size_t>(spec.context))));
  return std::unique_ptr<Decoder>(std::make_unique<SessionDecoder>(
      std::move(model), std::move(session), spec.context, spec.tokens));
}

}  // namespace headway::lab
