#include "distributed/remote_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/exhaustion.h"

namespace headway::distributed {
namespace {

// Keys and values on another rank.
class RemoteState final : public ShardState {
 public:
  RemoteState(LayerRing* ring, size_t shard, const StateOptions& options, int64_t bytes)
      : ring_(*ring),
        shard_(static_cast<int32_t>(shard)),
        number_(ring->NewNumber()),
        bytes_(bytes) {
    ring_.Add({.op = StateOp::kNew,
               .kv = options.kv,
               .shard = shard_,
               .state = number_,
               .positions = options.capacity_tokens});
  }
  ~RemoteState() override { Add(StateOp::kFree, 0); }

  uint64_t Number() const { return number_; }
  int64_t KvBytes() const override { return bytes_; }
  void ShareFrom(const ShardState& other, int64_t num_positions) override {
    stored_ = num_positions;
    ring_.Add({.op = StateOp::kShare,
               .shard = shard_,
               .state = number_,
               .other = static_cast<const RemoteState&>(other).number_,
               .positions = num_positions});
  }
  // Said after every step: worth a word only where there is something to forget.
  void KeepPositions(int64_t num_positions) override {
    if (num_positions >= stored_) return;
    stored_ = num_positions;
    Add(StateOp::kKeep, num_positions);
  }
  void FillCache(int64_t num_positions) override {
    stored_ = std::max(stored_, num_positions);
    Add(StateOp::kFill, num_positions);
  }
  // A step stores positions below that.
  void Store(int64_t end) { stored_ = std::max(stored_, end); }

 private:
  void Add(StateOp op, int64_t positions) {
    ring_.Add({.op = op, .shard = shard_, .state = number_, .positions = positions});
  }

  LayerRing& ring_;
  const int32_t shard_;
  const uint64_t number_;
  const int64_t bytes_;
  int64_t stored_ = 0;  // positions, at most
};

ShardFacts FactsOf(const LoadedLayerShard& shard) {
  return {.interface = shard.Interface(),
          .scratch_bytes = shard.ScratchBytes(),
          .max_tokens = shard.MaxTokens(),
          .weight_bytes = shard.WeightBytes(),
          .stores_q8_kv = shard.CanStore(KvType::kQ8_0)};
}

}  // namespace

uint64_t LayerRing::NewNumber() {
  const std::lock_guard lock(mutex_);
  return next_number_++;
}

// Of what is said of one state's length before a step, the last word counts.
void LayerRing::Add(const StateChange& change) {
  const std::lock_guard lock(mutex_);
  if (change.op == StateOp::kKeep && !changes_.empty()) {
    for (auto at = changes_.rbegin(); at != changes_.rend() && at->op == StateOp::kKeep; ++at) {
      if (at->shard != change.shard || at->state != change.state) continue;
      at->positions = std::min(at->positions, change.positions);
      return;
    }
  }
  changes_.push_back(change);
}

Step LayerRing::MakeStep(size_t first, std::span<const LayersRun> runs) {
  const StepArgs& args = runs.front().args;
  const auto T = static_cast<size_t>(args.num_tokens);
  Step step{.begin = static_cast<int32_t>(first),
            .end = static_cast<int32_t>(first + runs.size()),
            .num_tokens = static_cast<int32_t>(args.num_tokens)};
  int64_t pairs = 0;
  for (const LayersRun& run : runs) {
    const ShardInterface& interface = run.shard->Interface();
    pairs = std::max(pairs, interface.rotary_dim / 2);
    step.num_tables = std::max(step.num_tables, static_cast<int32_t>(interface.rotary_tables));
    for (const StepRow& row : run.args.rows) {
      auto* const state = static_cast<RemoteState*>(row.state);
      state->Store(row.first_position + row.num_tokens);
      step.states.push_back(state->Number());
    }
  }
  for (const StepRow& row : args.rows)
    step.rows.push_back({.first_position = row.first_position, .num_tokens = row.num_tokens});
  const auto per_table = static_cast<std::ptrdiff_t>(T) * pairs;
  for (int32_t table = 0; table < step.num_tables; ++table) {
    const float* const cos = args.rotary_cos + table * args.rotary_table_stride;
    const float* const sin = args.rotary_sin + table * args.rotary_table_stride;
    step.cos.insert(step.cos.end(), cos, cos + per_table);
    step.sin.insert(step.sin.end(), sin, sin + per_table);
  }
  step.finite.assign(runs.size() * T, 1);
  const auto size = args.num_tokens * runs.front().shard->Interface().input_channels;
  step.hidden.assign(args.input, args.input + size);
  const std::lock_guard lock(mutex_);
  step.changes = std::exchange(changes_, {});
  return step;
}

Result<void> LayerRing::Run(size_t first, std::span<const LayersRun> runs, const LayersDone& done,
                            size_t number_of_first_run) {
  const StepArgs& args = runs.front().args;
  const auto T = static_cast<size_t>(args.num_tokens);
  link_.SayWork(fmt::format("a step of {} token{}", T, T == 1 ? "" : "s"));
  HW_TRY_VOID(link_.Send(ranks_[first], Channel::kWork, MakeStep(first, runs).Encode()));
  HW_TRY(const Message message, link_.Receive(Channel::kReply, ranks_[first + runs.size() - 1]));
  Reader reader(message.bytes);
  StepReply reply;
  const auto D = static_cast<size_t>(runs.back().shard->Interface().output_channels);
  if (!reply.Decode(&reader)) return Fail(ErrorCode::kIo, "a step: the reply is damaged");
  if (!reply.error.empty()) return Fail(ErrorCode::kIo, reply.error);
  if (reply.hidden.size() != T * D || reply.finite.size() != runs.size() * T)
    return Fail(ErrorCode::kIo, "a step: the reply has another size");
  // Who looks at outputs in between looks for numbers that are not finite: they stayed elsewhere,
  // what is known of them did not.
  for (size_t i = 0; i < runs.size(); ++i) {
    const bool is_last = i + 1 == runs.size();
    for (size_t t = 0; t < T; ++t) {
      float* const output =
          runs[i].args.output + static_cast<int64_t>(t) * runs[i].args.output_stride;
      if (is_last) {
        std::copy_n(reply.hidden.data() + t * D, D, output);
      } else {
        const bool finite = reply.finite[i * T + t] != 0;
        std::fill_n(output, D, finite ? 0.0F : std::numeric_limits<float>::quiet_NaN());
      }
    }
    done(number_of_first_run + i);
  }
  return {};
}

PlacedLayers::PlacedLayers(size_t shard, std::unique_ptr<LoadedLayerShard> here, LayerRing* ring)
    : LoadedLayerShard(FactsOf(*here)), shard_(shard), here_(std::move(here)), ring_(*ring) {}

Result<void> PlacedLayers::Run(const StepArgs& args) noexcept {
  if (ring_.IsOwn(shard_)) return here_->Run(args);
  const LayersRun run{.shard = this, .args = args};
  return RunStack({&run, 1}, [](size_t) {});
}

Result<void> PlacedLayers::RunStack(std::span<const LayersRun> runs,
                                    const LayersDone& done) noexcept {
  // Own shards come first: rank 0 has the first layers.
  size_t own = 0;
  while (own < runs.size() && ring_.IsOwn(shard_ + own)) {
    HW_TRY_VOID(static_cast<PlacedLayers*>(runs[own].shard)->here_->Run(runs[own].args));
    done(own++);
  }
  if (own == runs.size()) return {};
  return OrOutOfMemory("a step's messages",
                       [&] { return ring_.Run(shard_ + own, runs.subspan(own), done, own); });
}

std::unique_ptr<ShardState> PlacedLayers::NewState(const StateOptions& options) const {
  if (ring_.IsOwn(shard_)) return here_->NewState(options);
  return std::make_unique<RemoteState>(&ring_, shard_, options, here_->StateBytes(options));
}

}  // namespace headway::distributed
