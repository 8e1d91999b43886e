// MPI as a Transport: point to point without waiting, and the reduction among the head's ranks. The
// one file that sees mpi.h.

// Open MPI's C++ bindings, which nothing here uses, would have to be linked.
#define OMPI_SKIP_MPICXX 1

#include <fmt/format.h>
#include <mpi.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/notice.h"
#include "distributed/mpi.h"

namespace headway::distributed {
namespace {

// MPI_Finalize meets all ranks. One that has died since they agreed to end must not hold the others.
constexpr std::chrono::seconds kLongestFarewell{20};

Result<void> Check(int code, const char* what, int rank = kAnyRank) {
  if (code == MPI_SUCCESS) return {};
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  const std::string with = rank == kAnyRank ? "" : fmt::format(" with rank {}", rank);
  return Fail(ErrorCode::kIo,
              fmt::format("{}{}: {}", what, with,
                          std::string_view(text.data(), static_cast<size_t>(length))));
}

class MpiTransport final : public Transport {
 public:
  Result<void> Open() {
    // Who waits sleeps by itself (link.cc); MPI's own way of leaving the processor to others costs a
    // slice of time with every look.
    ::setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1);  // NOLINT(concurrency-mt-unsafe)
#if defined(__linux__)
    // Naps of 10 us, in this thread and those that it starts, and not 60.
    ::prctl(PR_SET_TIMERSLACK, 1UL);
#endif
    int provided = 0;
    HW_TRY_VOID(Check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided),
                      "MPI_Init_thread"));
    if (provided < MPI_THREAD_SERIALIZED)
      return Fail(ErrorCode::kUnsupported, "MPI: expected one that several threads may call");
    HW_TRY_VOID(Check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                      "MPI_Comm_set_errhandler"));
    HW_TRY_VOID(Check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank"));
    return Check(MPI_Comm_size(MPI_COMM_WORLD, &num_ranks_), "MPI_Comm_size");
  }

  int Rank() const override { return rank_; }
  int NumRanks() const override { return num_ranks_; }

  Result<void> Send(int to, Channel channel, std::vector<std::byte> bytes) override {
    HW_TRY_VOID(DropSent());
    Outgoing& outgoing = outgoing_.emplace_back();
    outgoing.to = to;
    outgoing.bytes = std::move(bytes);
    return Check(MPI_Isend(outgoing.bytes.data(), static_cast<int>(outgoing.bytes.size()), MPI_BYTE,
                           to, static_cast<int>(channel), MPI_COMM_WORLD, &outgoing.request),
                 "MPI_Isend", to);
  }

  // Probed first, since nobody knows how long a message is. Long ones take a while, in which their
  // sender may be lost: so none is waited for.
  Result<std::optional<Message>> Poll(Channel channel, int from) override {
    HW_TRY_VOID(DropSent());
    HW_TRY_VOID(Probe(channel, from));
    const auto found = std::find_if(incoming_.begin(), incoming_.end(), [&](const Incoming& one) {
      return one.channel == channel && (from == kAnyRank || one.message.from == from);
    });
    if (found == incoming_.end()) return std::optional<Message>();
    int done = 0;
    HW_TRY_VOID(Check(MPI_Test(&found->request, &done, MPI_STATUS_IGNORE), "MPI_Imrecv",
                      found->message.from));
    if (done == 0) return std::optional<Message>();
    std::optional<Message> message(std::move(found->message));
    incoming_.erase(found);
    return message;
  }

  Result<void> MakeGroup(std::span<const int> ranks) override {
    MPI_Group all = MPI_GROUP_NULL;
    MPI_Group some = MPI_GROUP_NULL;
    HW_TRY_VOID(Check(MPI_Comm_group(MPI_COMM_WORLD, &all), "MPI_Comm_group"));
    HW_TRY_VOID(Check(MPI_Group_incl(all, static_cast<int>(ranks.size()), ranks.data(), &some),
                      "MPI_Group_incl"));
    HW_TRY_VOID(Check(MPI_Comm_create(MPI_COMM_WORLD, some, &group_), "MPI_Comm_create"));
    MPI_Group_free(&some);
    MPI_Group_free(&all);
    if (group_ == MPI_COMM_NULL) return {};
    return Check(MPI_Comm_set_errhandler(group_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }

  Result<void> BeginLargest(float value) override {
    value_ = value;
    return Check(MPI_Iallreduce(&value_, &largest_, 1, MPI_FLOAT, MPI_MAX, group_, &reduction_),
                 "MPI_Iallreduce");
  }

  Result<std::optional<float>> PollLargest() override {
    int done = 0;
    HW_TRY_VOID(Check(MPI_Test(&reduction_, &done, MPI_STATUS_IGNORE), "MPI_Iallreduce"));
    return done == 0 ? std::optional<float>() : std::optional<float>(largest_);
  }

  void Close(bool orderly) override {
    if (!orderly) return;  // MPI_Finalize would wait for who is lost
    std::thread([] {
      std::this_thread::sleep_for(kLongestFarewell);
      Notice("headway: MPI_Finalize: other ranks do not end\n");
      ::_exit(2);
    }).detach();
    MPI_Finalize();
  }

 private:
  struct Outgoing {
    int to = 0;
    std::vector<std::byte> bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  struct Incoming {
    Channel channel = Channel::kControl;
    Message message = {};
    MPI_Request request = MPI_REQUEST_NULL;
  };

  // Begins to receive a message that has been announced.
  Result<void> Probe(Channel channel, int from) {
    int found = 0;
    MPI_Message handle{};
    MPI_Status status{};
    HW_TRY_VOID(
        Check(MPI_Improbe(from == kAnyRank ? MPI_ANY_SOURCE : from, static_cast<int>(channel),
                          MPI_COMM_WORLD, &found, &handle, &status),
              "MPI_Improbe"));
    if (found == 0) return {};
    int size = 0;
    HW_TRY_VOID(Check(MPI_Get_count(&status, MPI_BYTE, &size), "MPI_Get_count"));
    Incoming& incoming = incoming_.emplace_back();
    incoming.channel = channel;
    incoming.message.from = status.MPI_SOURCE;
    incoming.message.bytes.resize(static_cast<size_t>(size));
    return Check(
        MPI_Imrecv(incoming.message.bytes.data(), size, MPI_BYTE, &handle, &incoming.request),
        "MPI_Imrecv", status.MPI_SOURCE);
  }

  // Lets go of messages that have left.
  Result<void> DropSent() {
    for (auto at = outgoing_.begin(); at != outgoing_.end();) {
      int done = 0;
      HW_TRY_VOID(Check(MPI_Test(&at->request, &done, MPI_STATUS_IGNORE), "MPI_Isend", at->to));
      at = done == 0 ? std::next(at) : outgoing_.erase(at);
    }
    return {};
  }

  int rank_ = 0;
  int num_ranks_ = 1;
  MPI_Comm group_ = MPI_COMM_NULL;
  std::list<Outgoing> outgoing_;
  std::list<Incoming> incoming_;  // in the order in which they were announced
  float value_ = 0.0F;
  float largest_ = 0.0F;
  MPI_Request reduction_ = MPI_REQUEST_NULL;
};

}  // namespace

Result<std::unique_ptr<Transport>> OpenMpi() {
  auto transport = std::make_unique<MpiTransport>();
  HW_TRY_VOID(transport->Open());
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace headway::distributed
