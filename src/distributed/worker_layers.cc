#include "distributed/worker_layers.h"

#include <algorithm>
#include <cstring>

#include "base/exhaustion.h"

namespace headway::distributed {

void WorkerLayers::Add(std::unique_ptr<LoadedLayerShard> shard) {
  const auto bytes = static_cast<size_t>(shard->ScratchBytes());
  if (bytes > scratch_.SizeBytes()) scratch_ = AlignedBuffer(bytes);
  const auto hidden = static_cast<size_t>(shard->MaxTokens() * model_.hidden_size) * sizeof(float);
  if (hidden > input_.SizeBytes()) {
    input_ = AlignedBuffer(hidden);
    output_ = AlignedBuffer(hidden);
  }
  shards_.push_back(std::move(shard));
  workspaces_.emplace_back();
}

Result<void> WorkerLayers::Change(const StateChange& change) {
  const auto shard = static_cast<size_t>(change.shard);
  if (!shards_here_.Has(shard)) return {};
  const LoadedLayerShard& loaded = *shards_[shard - shards_here_.begin];
  if (change.op == StateOp::kNew) {
    if (change.positions > capacity_tokens_) {
      for (size_t i = 0; i < shards_.size(); ++i)
        workspaces_[i] = shards_[i]->NewWorkspace(change.positions);
      capacity_tokens_ = change.positions;
    }
    states_[{shard, change.state}] =
        loaded.NewState({.capacity_tokens = change.positions, .kv = change.kv});
    return {};
  }
  const auto found = states_.find({shard, change.state});
  if (found == states_.end()) return Fail(ErrorCode::kIo, "a conversation that is not here");
  ShardState* const state = found->second.get();
  switch (change.op) {
    case StateOp::kFree:
      states_.erase(found);
      break;
    case StateOp::kKeep:
      state->KeepPositions(change.positions);
      break;
    case StateOp::kFill:
      state->FillCache(change.positions);
      break;
    case StateOp::kShare: {
      const auto other = states_.find({shard, change.other});
      if (other == states_.end()) return Fail(ErrorCode::kIo, "a conversation that is not here");
      state->ShareFrom(*other->second, change.positions);
      break;
    }
    case StateOp::kNew:
      break;
  }
  return {};
}

Result<void> WorkerLayers::RunShard(size_t shard, Step* step) {
  const size_t of_step = shard - static_cast<size_t>(step->begin);
  const auto T = static_cast<size_t>(step->num_tokens);
  const int64_t D = model_.hidden_size;
  const size_t here = shard - shards_here_.begin;
  std::vector<StepRow> rows;
  for (size_t i = 0; i < step->rows.size(); ++i) {
    const auto state = states_.find({shard, step->states[of_step * step->rows.size() + i]});
    if (state == states_.end()) return Fail(ErrorCode::kIo, "a conversation that is not here");
    rows.push_back({.state = state->second.get(),
                    .first_position = step->rows[i].first_position,
                    .num_tokens = step->rows[i].num_tokens});
  }
  const auto tables = static_cast<size_t>(std::max(step->num_tables, 1));
  HW_TRY_VOID(
      shards_[here]->Run({.num_tokens = step->num_tokens,
                          .rows = rows,
                          .input = input_.Pointer<float>(),
                          .output = output_.Pointer<float>(),
                          .output_stride = D,
                          .rotary_cos = step->cos.data(),
                          .rotary_sin = step->sin.data(),
                          .rotary_table_stride = static_cast<int64_t>(step->cos.size() / tables),
                          .scratch = scratch_.data(),
                          .workspace = workspaces_[here].get()}));
  for (size_t t = 0; t < T; ++t) {
    const float* const output = output_.Pointer<float>() + static_cast<int64_t>(t) * D;
    step->finite[of_step * T + t] = kernels_.all_finite(output, D) ? 1 : 0;
  }
  std::swap(input_, output_);
  return {};
}

Result<void> WorkerLayers::RunShards(Step* step) {
  const size_t size = step->hidden.size() * sizeof(float);
  const auto T = static_cast<size_t>(step->num_tokens);
  const auto num_shards = static_cast<size_t>(step->end - step->begin);
  if (step->begin < 0 || static_cast<size_t>(step->end) > num_shards_ ||
      size > input_.SizeBytes() ||
      step->hidden.size() != T * static_cast<size_t>(model_.hidden_size) ||
      step->states.size() != num_shards * step->rows.size() ||
      step->finite.size() != num_shards * T) {
    return Fail(ErrorCode::kIo, "a step of another size");
  }
  std::memcpy(input_.data(), step->hidden.data(), size);
  const size_t begin = std::max(shards_here_.begin, static_cast<size_t>(step->begin));
  const size_t end = std::min(shards_here_.end, static_cast<size_t>(step->end));
  for (size_t shard = begin; shard < end; ++shard) HW_TRY_VOID(RunShard(shard, step));
  std::memcpy(step->hidden.data(), input_.data(), size);
  return {};
}

Result<void> WorkerLayers::Run(Reader* reader) {
  Step step;
  const Result<void> done = OrOutOfMemory("its layers", [&]() -> Result<void> {
    if (!step.Decode(reader)) return Fail(ErrorCode::kIo, "a step: the message is damaged");
    Result<void> changes;
    for (const StateChange& change : step.changes) {
      const Result<void> changed = Change(change);
      if (changes && !changed) changes = changed;
    }
    return changes && step.error.empty() ? RunShards(&step) : changes;
  });
  if (!done && step.error.empty()) step.error = link_.MyName() + ": " + done.error().message;
  if (static_cast<size_t>(step.end) > shards_here_.end)
    return link_.Send(link_.Rank() + 1, Channel::kWork, step.Encode());
  const StepReply reply{.error = std::move(step.error),
                        .finite = std::move(step.finite),
                        .hidden = std::move(step.hidden)};
  return link_.Send(0, Channel::kReply, reply.Encode());
}

}  // namespace headway::distributed
