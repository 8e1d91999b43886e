#include "distributed/local_transport.h"

#include <algorithm>
#include <utility>

namespace headway::distributed {

class LocalTransport final : public Transport {
 public:
  LocalTransport(LocalHub* hub, int rank) : hub_(*hub), rank_(rank) {}

  int Rank() const override { return rank_; }
  int NumRanks() const override { return static_cast<int>(hub_.boxes_.size()); }

  Result<void> Send(int to, Channel channel, std::vector<std::byte> bytes) override {
    const std::lock_guard lock(hub_.mutex_);
    if (IsSilent(rank_) || IsSilent(to)) return {};
    hub_.boxes_[static_cast<size_t>(to)].push_back(
        {.channel = channel, .message = {.from = rank_, .bytes = std::move(bytes)}});
    return {};
  }

  Result<std::optional<Message>> Poll(Channel channel, int from) override {
    const std::lock_guard lock(hub_.mutex_);
    if (IsSilent(rank_)) return std::optional<Message>();
    auto& box = hub_.boxes_[static_cast<size_t>(rank_)];
    const auto found = std::find_if(box.begin(), box.end(), [&](const LocalHub::Letter& letter) {
      return letter.channel == channel && (from == kAnyRank || letter.message.from == from);
    });
    if (found == box.end()) return std::optional<Message>();
    std::optional<Message> message(std::move(found->message));
    box.erase(found);
    return message;
  }

  Result<void> MakeGroup(std::span<const int> ranks) override {
    const std::lock_guard lock(hub_.mutex_);
    hub_.group_size_ = static_cast<int>(ranks.size());
    return {};
  }

  Result<void> BeginLargest(float value) override {
    const std::lock_guard lock(hub_.mutex_);
    LocalHub::Round& round = RoundAt();
    round.largest = round.joined == 0 ? value : std::max(round.largest, value);
    if (!IsSilent(rank_)) ++round.joined;
    return {};
  }

  Result<std::optional<float>> PollLargest() override {
    const std::lock_guard lock(hub_.mutex_);
    LocalHub::Round& round = RoundAt();
    if (round.joined < hub_.group_size_) return std::optional<float>();
    const float largest = round.largest;
    ++next_round_;
    if (++round.left == hub_.group_size_) {
      hub_.rounds_.pop_front();
      ++hub_.first_round_;
    }
    return std::optional<float>(largest);
  }

  void Close(bool /*orderly*/) override {}

 private:
  bool IsSilent(int rank) const { return hub_.silent_[static_cast<size_t>(rank)]; }
  LocalHub::Round& RoundAt() {
    while (hub_.first_round_ + hub_.rounds_.size() <= next_round_) hub_.rounds_.emplace_back();
    return hub_.rounds_[next_round_ - hub_.first_round_];
  }

  LocalHub& hub_;
  const int rank_;
  size_t next_round_ = 0;
};

LocalHub::LocalHub(int num_ranks)
    : boxes_(static_cast<size_t>(num_ranks)), silent_(static_cast<size_t>(num_ranks)) {}

std::unique_ptr<Transport> LocalHub::EndOf(int rank) {
  return std::make_unique<LocalTransport>(this, rank);
}

void LocalHub::Silence(int rank) {
  const std::lock_guard lock(mutex_);
  silent_[static_cast<size_t>(rank)] = true;
}

}  // namespace headway::distributed
