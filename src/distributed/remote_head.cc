#include "distributed/remote_head.h"

#include <algorithm>

#include "base/exhaustion.h"
#include "distributed/remote_search.h"

namespace headway::distributed {
namespace {

ShardFacts FactsOf(const LoadedHeadShard& shard) {
  return {.interface = shard.Interface(),
          .scratch_bytes = shard.ScratchBytes(),
          .max_tokens = shard.MaxTokens(),
          .weight_bytes = shard.WeightBytes()};
}

// Copies what a rank computed of a shard: all rows of every state, or the needed blocks of them.
void CopyOutput(const HeadGroup::Request& request, Reader* reader) {
  const StepArgs& args = *request.args;
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    float* const output = args.output + t * args.output_stride;
    if (args.needed_blocks.empty()) {
      reader->GetFloats(output, static_cast<size_t>(request.columns));
    }
    for (const int32_t block : args.needed_blocks) {
      const int64_t first = block * kRowBlock;
      reader->GetFloats(output + first,
                        static_cast<size_t>(std::min(kRowBlock, request.columns - first)));
    }
    if (args.block_maxima != nullptr) {
      reader->GetFloats(args.block_maxima + t * args.maxima_stride,
                        static_cast<size_t>(request.num_blocks));
    }
  }
}

}  // namespace

HeadGroup::HeadGroup(Link* link, const ModelConfig& model, const HeadSpec& head)
    : link_(*link), model_(model), own_shards_(link->GetHosts().HeadOf(0, head.shards.size())) {
  const Hosts& hosts = link->GetHosts();
  for (const int rank : hosts.HeadRanks()) {
    if (rank == 0) continue;
    const Slice shards = hosts.HeadOf(rank, head.shards.size());
    others_.push_back({.rank = rank,
                       .shards = shards,
                       .rows = {.begin = head.shards[shards.begin].vocab_start,
                                .end = head.shards[shards.end - 1].vocab_end}});
  }
}

Result<void> HeadGroup::Run(std::span<const Request> requests, const HeadShardDone& done) {
  const StepArgs& first = *requests.front().args;
  const auto size = static_cast<size_t>(first.num_tokens * model_.hidden_size);
  const auto within = [&](const Slice& shards) {
    const auto is_within = [&](const Request& request) { return shards.Has(request.shard); };
    const auto begin = std::find_if(requests.begin(), requests.end(), is_within);
    return std::span<const Request>(begin, std::find_if_not(begin, requests.end(), is_within));
  };
  size_t told = 0;
  return Ask(
      "the head",
      [&](const Part& part) {
        Writer writer;
        const std::span<const Request> wanted = within(part.shards);
        if (wanted.empty()) return writer.Take();  // no row of it is needed
        writer.Put(Work::kLogits);
        writer.Put<int64_t>(first.num_tokens);
        writer.Put<uint64_t>(wanted.size());
        for (const Request& request : wanted) {
          writer.Put<uint64_t>(request.shard - part.shards.begin);
          writer.Put<uint8_t>(request.args->block_maxima != nullptr);
          writer.PutList(request.args->needed_blocks);
        }
        writer.PutFloats(first.input, size);
        return writer.Take();
      },
      [&](HeadPart* own) -> Result<void> {
        std::vector<HeadPart::ShardOutput> outputs;
        for (const Request& request : within(own_shards_)) {
          const StepArgs& args = *request.args;
          outputs.push_back({.shard = request.shard - own_shards_.begin,
                             .blocks = args.needed_blocks,
                             .output = args.output,
                             .output_stride = args.output_stride,
                             .maxima = args.block_maxima,
                             .maxima_stride = args.maxima_stride});
        }
        if (!outputs.empty()) HW_TRY_VOID(own->Run(first.input, first.num_tokens, outputs));
        for (; told < outputs.size(); ++told) done(told);
        return {};
      },
      [&](const Part& part, Reader* reader) {
        for (const Request& request : within(part.shards)) {
          CopyOutput(request, reader);
          done(told++);
        }
        return true;
      });
}

Result<void> HeadGroup::FindBest(const float* hidden, std::span<const BestQuery> queries,
                                 std::span<BestOfHead> best) noexcept {
  return OrOutOfMemory("the head", [&]() -> Result<void> {
    const size_t size = queries.size() * static_cast<size_t>(model_.hidden_size);
    for (size_t t = 0; t < queries.size(); ++t) best[t] = {};
    const auto enter = [&](std::span<const BestOfHead> found) {
      for (size_t t = 0; t < queries.size(); ++t) best[t] = BetterOf(best[t], found[t]);
    };
    return Ask(
        "the head",
        [&](const Part&) {
          Writer writer;
          writer.Put(Work::kBest);
          writer.PutList(queries);
          writer.PutFloats(hidden, size);
          return writer.Take();
        },
        [&](HeadPart* own) -> Result<void> {
          std::vector<BestOfHead> found(queries.size());
          HW_TRY_VOID(own->FindBest(hidden, queries, found));
          enter(found);
          return {};
        },
        [&](const Part&, Reader* reader) {
          const auto found = reader->GetList<BestOfHead>();
          if (found.size() != queries.size()) return false;
          enter(found);
          return true;
        });
  });
}

std::unique_ptr<lmhead::RowSearch> HeadGroup::NewSearch(int64_t max_states) {
  return std::make_unique<RemoteSearch>(this, max_states);
}

PlacedHead::PlacedHead(size_t shard, std::unique_ptr<LoadedHeadShard> here, HeadGroup* group)
    : LoadedHeadShard(FactsOf(*here)), shard_(shard), here_(std::move(here)), group_(group) {}

Result<void> PlacedHead::Run(const StepArgs& args) noexcept {
  if (group_ == nullptr) return here_->Run(args);
  const HeadRun run{.shard = this, .args = args};
  return RunHead({&run, 1}, [](size_t) {});
}

Result<void> PlacedHead::RunHead(std::span<const HeadRun> runs,
                                 const HeadShardDone& done) noexcept {
  return OrOutOfMemory("the head", [&]() -> Result<void> {
    if (group_ == nullptr) {
      std::vector<HeadRun> here(runs.begin(), runs.end());
      for (HeadRun& run : here) run.shard = static_cast<PlacedHead*>(run.shard)->here_.get();
      return here.front().shard->RunHead(here, done);
    }
    std::vector<HeadGroup::Request> requests;
    for (const HeadRun& run : runs) {
      requests.push_back({.shard = static_cast<PlacedHead*>(run.shard)->shard_,
                          .args = &run.args,
                          .columns = run.shard->Interface().output_channels,
                          .num_blocks = run.shard->Interface().NumBlocks()});
    }
    return group_->Run(requests, done);
  });
}

}  // namespace headway::distributed
