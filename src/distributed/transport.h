#pragma once

// What carries messages between ranks: one rank's end. MPI does (mpi/), and queues in one process
// (local_transport.h), by which the protocol is tested without it. Nothing here waits: who waits, and
// for how long, is link.h's to say.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace headway::distributed {

// Messages of one channel between the same two ranks arrive in the order in which they were sent.
enum class Channel : uint8_t { kControl, kWork, kReply };
inline constexpr int kNumChannels = 3;

inline constexpr int kAnyRank = -1;

struct Message {
  int from = 0;
  std::vector<std::byte> bytes;
};

// One thread at a time may use it.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int Rank() const = 0;
  virtual int NumRanks() const = 0;

  // Starts to send. Errors of all: kIo, when the way to a rank is known to be closed.
  virtual Result<void> Send(int to, Channel channel, std::vector<std::byte> bytes) = 0;
  // The next message that has arrived, from `from` or kAnyRank.
  virtual Result<std::optional<Message>> Poll(Channel channel, int from) = 0;

  // Called once by every rank, with the same list: those that call BeginLargest() together.
  virtual Result<void> MakeGroup(std::span<const int> ranks) = 0;
  // Joins the others of the group in finding the largest of their values; one at a time.
  virtual Result<void> BeginLargest(float value) = 0;
  virtual Result<std::optional<float>> PollLargest() = 0;

  // No calls follow. `orderly`: all ranks are there and call it, too.
  virtual void Close(bool orderly) = 0;
};

}  // namespace headway::distributed
