#include "engine/reduced_rows.h"

#include "base/clock.h"

namespace headway {

ReducedRows::ReducedRows(Pipeline* pipeline, int64_t max_states)
    : shard_(pipeline->Head().first.get()), ids_(pipeline->Head().first_ids) {
  if (!Exist()) return;
  workspace_ = shard_->NewWorkspace(0);
  scratch_ = AlignedBuffer(static_cast<size_t>(shard_->ScratchBytes()));
  logits_ = AlignedBuffer(static_cast<size_t>(max_states) * ids_.size() * sizeof(float));
}

void ReducedRows::Compute(const HeadStep& step, Counters* counters) {
  if (!Exist()) return;
  const uint64_t start = NowNs();
  const auto count = static_cast<int64_t>(ids_.size());
  shard_->Run({.num_tokens = step.NumStates(),
               .input = step.hidden,
               .output = logits_.Pointer<float>(),
               .output_stride = count,
               .scratch = scratch_.data(),
               .workspace = workspace_.get()});
  const uint64_t ns = NowNs() - start;
  counters->head_predict_ns += ns;
  counters->head_predict_shard_work_ns += ns;
  counters->head_bytes_read += static_cast<uint64_t>(shard_->WeightBytes());
  counters->head_rows_computed += static_cast<uint64_t>(count * step.NumStates());
}

}  // namespace headway
