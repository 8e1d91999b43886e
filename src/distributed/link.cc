#include "distributed/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/exhaustion.h"

namespace headway::distributed {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Signs of life within the timeout: some may be late.
constexpr int kSigns = 8;
// Who waits looks again at once for so long, then sleeps a little in between, since another rank may
// need the processor. It never yields: on a busy machine that costs a slice of 3 ms, and a sleeper
// that wakes comes first.
constexpr microseconds kSpin{60};
constexpr microseconds kNap{10};
constexpr milliseconds kLongWait{500};
constexpr microseconds kLongNap{500};

// Contents of the control channel: nothing is a sign of life, text says who is lost.
std::vector<std::byte> BytesOf(std::string_view text) {
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

}  // namespace

Result<std::unique_ptr<Link>> Link::Open(std::unique_ptr<Transport> transport, const Hosts& hosts,
                                         milliseconds timeout) {
  HW_TRY_VOID(transport->MakeGroup(hosts.HeadRanks()));
  std::unique_ptr<Link> link(new Link(std::move(transport), hosts, timeout));
  HW_TRY(link->pulse_, StartThread(link->MyName(), [raw = link.get()] { raw->Pulse(); }));
  return link;
}

Link::Link(std::unique_ptr<Transport> transport, const Hosts& hosts, milliseconds timeout)
    : transport_(std::move(transport)),
      hosts_(hosts),
      rank_(transport_->Rank()),
      timeout_(timeout),
      interval_(std::max(timeout / kSigns, milliseconds(1))),
      heard_(static_cast<size_t>(hosts.NumRanks()), Clock::now()),
      signed_(Clock::now() - timeout),
      looked_(Clock::now()) {}

Link::~Link() {
  stop_.store(true);
  if (pulse_.joinable()) pulse_.join();
  const std::lock_guard lock(mutex_);
  transport_->Close(!lost_.has_value());
}

// Signs while the rank's other thread computes; while that one waits, it looks around itself.
void Link::Pulse() {
  while (!stop_.load()) {
    if (mutex_.try_lock()) {
      LookAround(Clock::now());
      mutex_.unlock();
    }
    std::this_thread::sleep_for(std::min(interval_ / 2, milliseconds(100)));
  }
}

void Link::LookAround(Clock::time_point now) {
  if (lost_ || hosts_.NumRanks() == 1) return;
  looked_ = now;
  for (;;) {
    auto message = transport_->Poll(Channel::kControl, kAnyRank);
    if (!message) return Lose(kAnyRank, message.error().message);
    if (!*message) break;
    Heard((*message)->from, now);
    const std::vector<std::byte>& text = (*message)->bytes;
    if (text.empty()) continue;
    lost_ = std::string(reinterpret_cast<const char*>(text.data()), text.size());
    return;
  }
  const int first = rank_ == 0 ? 1 : 0;
  const int last = rank_ == 0 ? hosts_.NumRanks() - 1 : 0;
  const bool signs = now - signed_ >= interval_;
  if (signs) signed_ = now;
  for (int other = first; other <= last; ++other) {
    if (signs) {
      if (const auto sent = transport_->Send(other, Channel::kControl, {}); !sent)
        return Lose(other, sent.error().message);
    }
    const auto silence = now - heard_[static_cast<size_t>(other)];
    if (silence > timeout_) {
      return Lose(other, fmt::format("no sign of life for {:.1f} s",
                                     std::chrono::duration<double>(silence).count()));
    }
  }
}

void Link::Lose(int rank, const std::string& how) {
  if (lost_) return;
  const std::string who = rank == kAnyRank ? "a rank" : hosts_.NameOf(rank);
  lost_ = fmt::format("lost {} during {}: {}", who, work_, how);
  if (rank_ != 0) return;
  // The way to others may be closed as well; they will hear nothing and find it out.
  for (int other = 1; other < hosts_.NumRanks(); ++other) {
    if (other != rank)
      static_cast<void>(transport_->Send(other, Channel::kControl, BytesOf(*lost_)));
  }
}

tl::unexpected<Error> Link::LostError() const {
  return Fail(ErrorCode::kIo, fmt::format("{}: {}", MyName(), *lost_));
}

Result<void> Link::CheckLost() {
  const std::lock_guard lock(mutex_);
  if (lost_) return LostError();
  return {};
}

Result<void> Link::Send(int to, Channel channel, std::vector<std::byte> bytes, bool counts) {
  const std::lock_guard lock(mutex_);
  if (lost_) return LostError();
  if (counts) {
    ++sent_.messages;
    sent_.bytes += bytes.size();
  }
  if (const auto sent = transport_->Send(to, channel, std::move(bytes)); !sent) {
    Lose(to, sent.error().message);
    return LostError();
  }
  return {};
}

template <class T, class F>
Result<T> Link::WaitFor(const F& poll) {
  const Clock::time_point start = Clock::now();
  for (;;) {
    const Clock::time_point now = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (lost_) return LostError();
      Result<std::optional<T>> found = poll(now);
      if (!found) {
        Lose(kAnyRank, found.error().message);
        return LostError();
      }
      if (*found) return **std::move(found);
      if (now - looked_ >= interval_ / 2) LookAround(now);
    }
    const auto waited = now - start;
    if (waited >= kSpin) std::this_thread::sleep_for(waited < kLongWait ? kNap : kLongNap);
  }
}

Result<Message> Link::Receive(Channel channel, int from) {
  return WaitFor<Message>([&](Clock::time_point now) {
    auto message = transport_->Poll(channel, from);
    if (message && *message) Heard((*message)->from, now);
    return message;
  });
}

Result<float> Link::Largest(float value) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return LostError();
    if (rank_ == hosts_.RankOfHead(0)) ++sent_.reductions;
    if (const auto begun = transport_->BeginLargest(value); !begun) {
      Lose(kAnyRank, begun.error().message);
      return LostError();
    }
  }
  return WaitFor<float>([&](Clock::time_point) { return transport_->PollLargest(); });
}

void Link::SayWork(std::string work) {
  const std::lock_guard lock(mutex_);
  work_ = std::move(work);
}

Traffic Link::Sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

}  // namespace headway::distributed
