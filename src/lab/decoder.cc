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
#include "runtime/rotary_tables.h"
#include "runtime/session.h"

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

// T tokens of a fixed text a step. The cache is written again at the same positions every round.
class BatchDecoder final : public Decoder {
 public:
  BatchDecoder(std::unique_ptr<OpenedModel> model, std::vector<int32_t> ids, int64_t context,
               int64_t tokens, int64_t batch)
      : model_(std::move(model)),
        ids_(std::move(ids)),
        context_(context),
        batch_(batch),
        num_steps_(std::max<int64_t>(1, tokens / batch)),
        rotary_(Config(), std::max(batch, context)) {
    const ModelConfig& c = Config();
    const int64_t widest = std::max(batch, context);
    x_.resize(static_cast<size_t>(widest * c.hidden_size));
    y_.resize(x_.size());
    logits_.resize(static_cast<size_t>(batch * c.vocab_size));
    int64_t scratch_bytes = 0;
    for (const auto& shard : Layers()) {
      const int64_t capacity = context + num_steps_ * batch;
      layer_states_.push_back(shard->NewState({.capacity_tokens = capacity}));
      layer_workspaces_.push_back(shard->NewWorkspace(capacity));
      scratch_bytes = std::max(scratch_bytes, shard->ScratchBytes());
    }
    for (const auto& shard : Head().shards) {
      head_workspaces_.push_back(shard->NewWorkspace(0));
      scratch_bytes = std::max(scratch_bytes, shard->ScratchBytes());
    }
    scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
    Sample ignored = Empty();
    RunLayers(0, context, &ignored);
  }

  Result<Sample> Round() override {
    Sample sample = Empty();
    std::vector<int32_t> choices;
    for (int64_t step = 0; step < num_steps_; ++step) {
      const uint64_t start = NowNs();
      RunLayers(context_ + step * batch_, batch_, &sample);
      RunHead(&sample, &choices);
      sample.step_ns += static_cast<double>(NowNs() - start);
    }
    Divide(&sample, static_cast<double>(num_steps_ * batch_));
    sample.tokens_hash = HashOf(choices);
    return sample;
  }

 private:
  const ModelConfig& Config() const { return model_->pipeline->model(); }
  std::vector<std::unique_ptr<Executable>>& Layers() { return model_->pipeline->Layers(); }
  LoadedHead& Head() { return model_->pipeline->Head(); }

  Sample Empty() {
    Sample sample;
    sample.layer_shard_ns.assign(Layers().size(), 0);
    sample.head_shard_ns.assign(Head().shards.size(), 0);
    return sample;
  }

  void RunLayers(int64_t first, int64_t count, Sample* sample) {
    const int64_t D = Config().hidden_size;
    const uint64_t start = NowNs();
    for (int64_t t = 0; t < count; ++t)
      model_->pipeline->EmbedToken(ids_[static_cast<size_t>(first + t)], x_.data() + t * D);
    const uint64_t embedded = NowNs();
    rotary_.Fill(first, count, false);
    const uint64_t rotated = NowNs();
    for (size_t i = 0; i < Layers().size(); ++i) {
      const uint64_t shard_start = NowNs();
      const StepRow row{
          .state = layer_states_[i].get(), .first_position = first, .num_tokens = count};
      Layers()[i]->Run({.num_tokens = count,
                        .rows = {&row, 1},
                        .input = x_.data(),
                        .output = y_.data(),
                        .output_stride = D,
                        .rotary_cos = rotary_.Cos(),
                        .rotary_sin = rotary_.Sin(),
                        .scratch = scratch_.data(),
                        .workspace = layer_workspaces_[i].get()});
      std::swap(x_, y_);
      sample->layer_shard_ns[i] += static_cast<double>(NowNs() - shard_start);
      sample->layers_bytes += static_cast<double>(Layers()[i]->WeightBytes());
    }
    sample->embed_ns += static_cast<double>(embedded - start);
    sample->rotary_ns += static_cast<double>(rotated - embedded);
    sample->layers_ns += static_cast<double>(NowNs() - rotated);
  }

  void RunHead(Sample* sample, std::vector<int32_t>* choices) {
    const int64_t V = Config().vocab_size;
    const uint64_t start = NowNs();
    for (size_t i = 0; i < Head().shards.size(); ++i) {
      const uint64_t shard_start = NowNs();
      Head().shards[i]->Run({.num_tokens = batch_,
                             .input = x_.data(),
                             .output = logits_.data() + Head().specs[i].vocab_start,
                             .output_stride = V,
                             .scratch = scratch_.data(),
                             .workspace = head_workspaces_[i].get()});
      sample->head_shard_ns[i] += static_cast<double>(NowNs() - shard_start);
      sample->head_bytes += static_cast<double>(Head().shards[i]->WeightBytes());
    }
    const uint64_t predicted = NowNs();
    for (int64_t t = 0; t < batch_; ++t)
      choices->push_back(
          static_cast<int32_t>(model_->kernels->kernels.argmax(logits_.data() + t * V, V).index));
    const uint64_t end = NowNs();
    sample->predict_ns += static_cast<double>(predicted - start);
    sample->reduce_ns += static_cast<double>(end - predicted);
    sample->head_ns += static_cast<double>(end - start);
  }

  std::unique_ptr<OpenedModel> model_;
  std::vector<int32_t> ids_;
  int64_t context_;
  int64_t batch_;
  int64_t num_steps_;
  RotaryTables rotary_;
  std::vector<std::unique_ptr<ShardState>> layer_states_;
  std::vector<std::unique_ptr<ShardWorkspace>> layer_workspaces_;
  std::vector<std::unique_ptr<ShardWorkspace>> head_workspaces_;
  std::vector<float> x_;
  std::vector<float> y_;
  std::vector<float> logits_;  // [T, V]
  AlignedBuffer scratch_;
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
  HW_TRY(auto session, Session::Create(model->pipeline, model->pool.get(), model->kernels->kernels,
                                       std::move(options)));
  HW_TRY_VOID(session->Append(std::span(ids).first(static_cast<size_t>(spec.context))));
  return std::unique_ptr<Decoder>(std::make_unique<SessionDecoder>(
      std::move(model), std::move(session), spec.context, spec.tokens));
}

}  // namespace headway::lab
