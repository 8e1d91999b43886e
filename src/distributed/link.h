#pragma once

// One rank's place among the others: sends, waits, counts, and finds out who is lost. Every rank gives
// a sign of life several times within the timeout: workers to rank 0, rank 0 to all. Who hears nothing
// for as long as the timeout says that a rank is lost; rank 0 tells the others which. From then on
// every call fails with that text, so that nobody waits for ever and no token comes of half a step.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "distributed/hosts.h"
#include "distributed/transport.h"

namespace headway::distributed {

// What a rank has sent, signs of life apart.
struct Traffic {
  uint64_t messages = 0;
  uint64_t bytes = 0;       // of their contents
  uint64_t reductions = 0;  // of one float among the head's ranks, as rank 0 of them counts

  Traffic operator-(const Traffic& other) const {
    return {.messages = messages - other.messages,
            .bytes = bytes - other.bytes,
            .reductions = reductions - other.reductions};
  }
  Traffic operator+(const Traffic& other) const {
    return {.messages = messages + other.messages,
            .bytes = bytes + other.bytes,
            .reductions = reductions + other.reductions};
  }
};

class Link {
 public:
  // All ranks of `hosts` make one. Errors: kIo.
  static Result<std::unique_ptr<Link>> Open(std::unique_ptr<Transport> transport,
                                            const Hosts& hosts, std::chrono::milliseconds timeout);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  int Rank() const { return rank_; }
  const Hosts& GetHosts() const { return hosts_; }
  std::string MyName() const { return hosts_.NameOf(rank_); }

  // Errors of all: kIo, naming the lost rank. Any thread.
  Result<void> Send(int to, Channel channel, std::vector<std::byte> bytes, bool counts = true);
  // Waits for a message.
  Result<Message> Receive(Channel channel, int from);
  // The largest of the values that the head's ranks give, this one among them.
  Result<float> Largest(float value);
  Result<void> CheckLost();

  // What this rank is about, for the message when one is lost: "a step of 4 tokens".
  void SayWork(std::string work);
  Traffic Sent() const;

 private:
  using Clock = std::chrono::steady_clock;

  Link(std::unique_ptr<Transport> transport, const Hosts& hosts, std::chrono::milliseconds timeout);
  void Pulse();
  // With mutex_ held.
  void LookAround(Clock::time_point now);
  void Heard(int rank, Clock::time_point now) { heard_[static_cast<size_t>(rank)] = now; }
  void Lose(int rank, const std::string& how);
  tl::unexpected<Error> LostError() const;
  // Looks for what `poll` finds until it is there.
  template <class T, class F>
  Result<T> WaitFor(const F& poll);

  const std::unique_ptr<Transport> transport_;
  const Hosts hosts_;
  const int rank_;
  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds interval_;  // of signs of life

  mutable std::mutex mutex_;  // guards what follows, and transport_
  std::vector<Clock::time_point> heard_;
  Clock::time_point signed_;  // when this rank gave its last sign
  Clock::time_point looked_;
  std::string work_ = "opening the model";
  std::optional<std::string> lost_;
  Traffic sent_;

  std::atomic<bool> stop_{false};
  std::thread pulse_;
};

}  // namespace headway::distributed
