#include "distributed/predict.h"

#include <optional>
#include <string>
#include <vector>

#include "distributed/messages.h"
#include "distributed/remote_search.h"
#include "manifest/head_kind.h"

namespace headway::distributed {
namespace {

// Of the cpu device.
constexpr int64_t kBlockMaxRows = 64;
static_assert(sizeof(lmhead::Candidate) == kFoundRowBytes);

Traffic OneMessage(const std::vector<std::byte>& bytes, uint64_t times) {
  return {.messages = times, .bytes = times * bytes.size(), .reductions = 0};
}

// From rank 0 through the others with layers, and back.
Traffic OfLayers(const Hosts& hosts, const Manifest& manifest) {
  const size_t all = manifest.layers.size();
  const size_t shards = all - hosts.LayersOf(0, all).end;
  if (shards == 0) return {};
  const auto D = static_cast<size_t>(manifest.model.hidden_size);
  const auto tables = static_cast<size_t>(manifest.model.NumRotaryTables());
  const size_t angles = tables * static_cast<size_t>(manifest.model.rotary_dim / 2);
  const Step step{.rows = std::vector<WireRow>(1),
                  .states = std::vector<uint64_t>(shards),
                  .cos = std::vector<float>(angles),
                  .sin = std::vector<float>(angles),
                  .finite = std::vector<uint8_t>(shards),
                  .hidden = std::vector<float>(D)};
  const StepReply reply{.finite = step.finite, .hidden = step.hidden};
  return OneMessage(step.Encode(), static_cast<uint64_t>(hosts.LayerParts() - 1)) +
         OneMessage(reply.Encode(), 1);
}

// A question to each other rank with a part of the head, and its answer.
Traffic OfHead(const Hosts& hosts, const Manifest& manifest, const HeadSpec& head) {
  const auto others = static_cast<uint64_t>(hosts.HeadParts() - (hosts.HasHead(0) ? 1 : 0));
  if (others == 0) return {};
  const std::vector<float> hidden(static_cast<size_t>(manifest.model.hidden_size));
  Writer question;
  Writer answer;
  answer.PutText("");
  if (!head.planes) {
    question.Put(Work::kBest);
    question.PutList(std::vector<BestQuery>(1));
    question.PutFloats(hidden.data(), hidden.size());
    answer.PutList(std::vector<BestOfHead>(1));
    return OneMessage(question.Take(), others) + OneMessage(answer.Take(), others);
  }
  question.Put(Work::kDecide);
  question.Put<uint8_t>(1);
  question.PutList(std::vector<lmhead::ScreenDemand>(1));
  question.PutList(hidden);
  question.Put<int64_t>(0);
  WireGoal().Encode({.begin = 0, .end = 64}, &question);
  answer.Put(WireEvidence());
  answer.PutList(std::vector<lmhead::Candidate>());
  Traffic traffic = OneMessage(question.Take(), others) + OneMessage(answer.Take(), others);
  traffic.reductions = hosts.HeadParts() > 1 ? 1 : 0;
  return traffic;
}

}  // namespace

Traffic PredictStep(const Hosts& hosts, const Manifest& manifest, const HeadSpec& head) {
  return OfLayers(hosts, manifest) + OfHead(hosts, manifest, head);
}

Traffic PredictLogits(const Hosts& hosts, const Manifest& manifest, const HeadSpec& head) {
  const bool block_maxima = head.kind.starts_with(NameOf(HeadForm::kBlockMax));
  Traffic traffic;
  for (const int rank : hosts.HeadRanks()) {
    if (rank == 0) continue;
    const Slice shards = hosts.HeadOf(rank, head.shards.size());
    // Kind of work, numbers of states and of shards; the state.
    uint64_t bytes = 1 + 2 * sizeof(uint64_t) +
                     static_cast<uint64_t>(manifest.model.hidden_size) * sizeof(float) +
                     sizeof(uint64_t);  // and of the answer: no error
    for (size_t i = shards.begin; i < shards.end; ++i) {
      const int64_t rows = head.shards[i].vocab_end - head.shards[i].vocab_start;
      const int64_t maxima = block_maxima ? (rows + kBlockMaxRows - 1) / kBlockMaxRows : 0;
      // Its number, whether with maxima, an empty list of blocks; its logits.
      bytes += 2 * sizeof(uint64_t) + 1 + static_cast<uint64_t>(rows + maxima) * sizeof(float);
    }
    traffic.messages += 2;
    traffic.bytes += bytes;
  }
  return traffic;
}

}  // namespace headway::distributed
