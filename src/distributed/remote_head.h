#pragma once

// The head as rank 0 sees it: a shard for each that the package has, wherever it runs, and what is
// better asked of all ranks at once.

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "device/loaded_head_shard.h"
#include "device/remote_head.h"
#include "distributed/head_part.h"
#include "distributed/link.h"
#include "distributed/messages.h"

namespace headway::distributed {

// The ranks that have a part of the head. Must outlive the shards.
class HeadGroup final : public RemoteHead {
 public:
  struct Part {
    int rank = 0;
    Slice shards;
    lmhead::RowRange rows;
  };

  // `shards`: all of the head's. What rank 0 runs itself follows with SetOwn().
  HeadGroup(Link* link, const ModelConfig& model, const HeadSpec& head);

  // The parts of other ranks.
  const std::vector<Part>& Others() const { return others_; }
  bool IsOwn(size_t shard) const { return own_shards_.Has(shard); }
  Link& GetLink() const { return link_; }
  int64_t VocabSize() const { return model_.vocab_size; }
  int64_t Channels() const { return model_.hidden_size; }
  int Parts() const { return link_.GetHosts().HeadParts(); }

  // Of all parts; said once, before a search is made.
  int64_t WeightBytes() const { return weight_bytes_; }
  int64_t ScreenBytes() const { return screen_bytes_; }
  void SetBytes(int64_t weights, int64_t screen) {
    weight_bytes_ = weights;
    screen_bytes_ = screen;
  }

  // Null: rank 0 has no part.
  HeadPart* Own() const { return own_.get(); }
  Slice OwnShards() const { return own_shards_; }
  void SetOwn(std::unique_ptr<HeadPart> own) { own_ = std::move(own); }

  // Sends `bytes_of(part)` to every other rank, but not where they are empty, does `own` where rank 0
  // has a part, and has `read` the replies of those that were asked, part by part.
  template <class Bytes, class OwnWork, class Read>
  Result<void> Ask(const char* what, const Bytes& bytes_of, const OwnWork& own, const Read& read);

  // As LoadedHeadShard::RunHead(), on some of the shards or all, ascending.
  struct Request {
    size_t shard = 0;
    const StepArgs* args = nullptr;
    int64_t columns = 0;
    int64_t num_blocks = 0;  // of maxima
  };
  Result<void> Run(std::span<const Request> requests, const HeadShardDone& done);

  Result<void> FindBest(const float* hidden, std::span<const BestQuery> queries,
                        std::span<BestOfHead> best) noexcept override;
  std::unique_ptr<lmhead::RowSearch> NewSearch(int64_t max_states) override;

 private:
  Link& link_;
  const ModelConfig model_;
  const Slice own_shards_;
  std::vector<Part> others_;
  std::unique_ptr<HeadPart> own_;
  int64_t weight_bytes_ = 0;
  int64_t screen_bytes_ = 0;
};

// A shard: `here` says what it is like and reads rows of its matrix.
class PlacedHead final : public LoadedHeadShard {
 public:
  // `here` must outlive the shard; `group`: null where nothing of the head is elsewhere.
  PlacedHead(size_t shard, std::unique_ptr<LoadedHeadShard> here, HeadGroup* group);

  Result<void> Run(const StepArgs& args) noexcept override;
  Result<void> RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept override;
  RemoteHead* Remote() override { return group_; }
  RowStrips* Strips() override { return here_->Strips(); }
  const RowTable* Rows() const override { return here_->Rows(); }
  headway::Residency Residency() const override { return here_->Residency(); }

 private:
  const size_t shard_;
  const std::unique_ptr<LoadedHeadShard> here_;
  HeadGroup* const group_;
};

template <class Bytes, class OwnWork, class Read>
Result<void> HeadGroup::Ask(const char* what, const Bytes& bytes_of, const OwnWork& own,
                            const Read& read) {
  link_.SayWork(what);
  std::vector<const Part*> asked;
  for (const Part& part : others_) {
    std::vector<std::byte> bytes = bytes_of(part);
    if (bytes.empty()) continue;
    HW_TRY_VOID(link_.Send(part.rank, Channel::kWork, std::move(bytes)));
    asked.push_back(&part);
  }
  Result<void> outcome;
  if (own_ != nullptr) outcome = own(own_.get());
  for (const Part* const asked_part : asked) {
    const Part& part = *asked_part;
    HW_TRY(const Message message, link_.Receive(Channel::kReply, part.rank));
    Reader reader(message.bytes);
    const std::string error = reader.GetText();
    if (!error.empty()) {
      if (outcome) outcome = Fail(ErrorCode::kIo, error);
      continue;
    }
    const bool is_good = read(part, &reader);
    if (outcome && (!is_good || !reader.Ok() || !reader.AtEnd())) {
      outcome = Fail(ErrorCode::kIo,
                     link_.GetHosts().NameOf(part.rank) + ": the reply to " + what + " is damaged");
    }
  }
  return outcome;
}

}  // namespace headway::distributed
