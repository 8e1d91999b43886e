#include "distributed/worker_head.h"

#include <algorithm>
#include <array>

#include "base/exhaustion.h"

namespace headway::distributed {
namespace {

tl::unexpected<Error> Damaged() { return Fail(ErrorCode::kIo, "the head: the message is damaged"); }

}  // namespace

Result<void> WorkerHead::Answer(Work work, Reader* reader) {
  Writer reply;
  reply.PutText("");  // no error
  const Result<void> done = OrOutOfMemory("its part of the head", [&] {
    const OneExchange one(work == Work::kDecide ? Others() : nullptr);
    if (work == Work::kBest) return Best(reader, &reply);
    if (work == Work::kLogits) return Logits(reader, &reply);
    return Search(work, reader, &reply);
  });
  if (!done) {
    reply = Writer();
    reply.PutText(link_.MyName() + ": " + done.error().message);
  }
  return link_.Send(0, Channel::kReply, reply.Take());
}

Result<void> WorkerHead::Best(Reader* reader, Writer* reply) {
  const auto queries = reader->GetList<BestQuery>();
  hidden_.resize(queries.size() * channels_);
  reader->GetFloats(hidden_.data(), hidden_.size());
  if (!reader->Ok()) return Damaged();
  std::vector<BestOfHead> best(queries.size());
  HW_TRY_VOID(part_.FindBest(hidden_.data(), queries, best));
  reply->PutList(best);
  return {};
}

Result<void> WorkerHead::Logits(Reader* reader, Writer* reply) {
  const auto num_states = reader->Get<int64_t>();
  const auto count = reader->Get<uint64_t>();
  const LoadedHead& head = part_.Loaded();
  if (count > head.shards.size()) return Damaged();
  struct Wanted {
    size_t shard;
    bool maxima;
    std::vector<int32_t> blocks;
    int64_t columns;
    int64_t num_blocks;
    std::vector<float> output;
    std::vector<float> block_maxima;
  };
  std::vector<Wanted> wanted;
  for (uint64_t i = 0; i < count; ++i) {
    Wanted& one = wanted.emplace_back();
    one.shard = reader->Get<uint64_t>();
    one.maxima = reader->Get<uint8_t>() != 0;
    one.blocks = reader->GetList<int32_t>();
    if (one.shard >= head.shards.size()) return Damaged();
    one.columns = head.shards[one.shard]->Interface().output_channels;
    one.num_blocks = head.shards[one.shard]->Interface().NumBlocks();
  }
  hidden_.resize(static_cast<size_t>(num_states) * channels_);
  reader->GetFloats(hidden_.data(), hidden_.size());
  if (!reader->Ok()) return Damaged();
  std::vector<HeadPart::ShardOutput> outputs;
  for (Wanted& one : wanted) {
    one.output.resize(static_cast<size_t>(num_states * one.columns));
    one.block_maxima.resize(static_cast<size_t>(one.maxima ? num_states * one.num_blocks : 0));
    outputs.push_back({.shard = one.shard,
                       .blocks = one.blocks,
                       .output = one.output.data(),
                       .output_stride = one.columns,
                       .maxima = one.maxima ? one.block_maxima.data() : nullptr,
                       .maxima_stride = one.num_blocks});
  }
  HW_TRY_VOID(part_.Run(hidden_.data(), num_states, outputs));
  for (const Wanted& one : wanted) {
    for (int64_t t = 0; t < num_states; ++t) {
      const float* const output = one.output.data() + t * one.columns;
      if (one.blocks.empty()) reply->PutFloats(output, static_cast<size_t>(one.columns));
      for (const int32_t block : one.blocks) {
        const int64_t first = block * kRowBlock;
        reply->PutFloats(output + first,
                         static_cast<size_t>(std::min(kRowBlock, one.columns - first)));
      }
      if (one.maxima) {
        reply->PutFloats(one.block_maxima.data() + t * one.num_blocks,
                         static_cast<size_t>(one.num_blocks));
      }
    }
  }
  return {};
}

Result<void> WorkerHead::Search(Work work, Reader* reader, Writer* reply) {
  HW_TRY(LocalSearch* const search, part_.Search(kernels::kMaxScreenTokens));
  if (search == nullptr) return Fail(ErrorCode::kIo, "expected a head with planes, found none");
  if (reader->Get<uint8_t>() != 0) {
    const auto demands = reader->GetList<lmhead::ScreenDemand>();
    hidden_ = reader->GetList<float>();
    const auto num_states = static_cast<int64_t>(hidden_.size() / channels_);
    if (!reader->Ok() || num_states > search->MaxStates()) return Damaged();
    HW_TRY_VOID(search->Begin(hidden_.data(), num_states, demands));
  }
  if (work == Work::kBoundRest) {
    const auto best = reader->Get<float>();
    const auto room = reader->Get<double>();
    const lmhead::SearchEvidence evidence = search->BoundRest(best, room);
    reply->Put(ToWire(evidence, search->MassOfRest(best)));
    return {};
  }
  const auto state = reader->Get<int64_t>();
  if (!reader->Ok() || state < 0 || state >= search->MaxStates()) return Damaged();
  lmhead::SearchEvidence evidence;
  if (work == Work::kEvaluate) {
    const auto rows = reader->GetList<int32_t>();
    evidence = search->Evaluate(state, rows);
  } else {
    if (!goal_.Decode(part_.Rows(), part_.VocabSize(), reader)) return Damaged();
    goal_.goal.others = Others();
    evidence = search->Decide(state, goal_.goal);
  }
  reply->Put(ToWire(evidence, 0.0));
  reply->PutList(search->Found());
  return {};
}

}  // namespace headway::distributed
