#pragma once

// A fixed team of threads for one decode step. Run() hands the same function to every member;
// inside it, members meet at Barrier() and share work by Chunks. No allocation after construction.
// Waiting members spin for about 50 us (a decode step has hundreds of meetings 1 us apart), then
// sleep in the kernel; they do not spin when two members share a processor.
//
// Which member computes which chunk is left to chance; kernels must give the same bits for every
// split (docs/arithmetic.md), so results never depend on it.

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "base/result.h"

namespace headway {

// A non-owning reference to a callable `void(int thread_index)`, valid for the duration of the
// call.
class TeamFunction {
 public:
  template <class F>
  TeamFunction(const F& function)  // NOLINT(google-explicit-constructor): a call-site lambda
      : context_(&function),
        call_([](const void* context, int index) { (*static_cast<const F*>(context))(index); }) {}
  void operator()(int thread_index) const { call_(context_, thread_index); }

 private:
  const void* context_;
  void (*call_)(const void*, int);
};

// Deals out [0, total) in chunks; shared by the members of a team. Reset by one member between
// barriers.
class ChunkQueue {
 public:
  void Reset() { next_.store(0, std::memory_order_relaxed); }
  // Takes the next chunk of at most `chunk` items; false when none is left.
  bool Take(int64_t total, int64_t chunk, int64_t* begin, int64_t* end) {
    const int64_t first = next_.fetch_add(chunk, std::memory_order_relaxed);
    if (first >= total) return false;
    *begin = first;
    *end = first + chunk < total ? first + chunk : total;
    return true;
  }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
};

class ThreadPool {
 public:
  // num_threads >= 1; the caller of Run() is member 0, so num_threads - 1 threads are started.
  // Errors: kIo, when the system does not start that many.
  static Result<std::unique_ptr<ThreadPool>> Start(int num_threads);
  // The same for teams so small that they must start; aborts otherwise.
  explicit ThreadPool(int num_threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int NumThreads() const { return num_threads_; }

  // Calls function(i) for i in [0, NumThreads()) at once and returns when all are done. Not
  // reentrant. What a member throws, the first of them, is thrown here when all have ended; a
  // function that uses Barrier() must not throw, because the others would wait there for ever.
  void Run(TeamFunction function);

  // Inside Run(): returns when every member has called it. What one member wrote before is seen by
  // all after.
  void Barrier();

  // How often members have waited for each other: barriers, and the ends of Run(). Differences of
  // it count, since it goes round after 2^32; 0 of a team of one.
  uint32_t Meetings() const {
    return generation_.load(std::memory_order_relaxed) +
           barrier_phase_.load(std::memory_order_relaxed);
  }

 private:
  // The processor a member was last seen on; -1: not yet.
  struct alignas(64) Processor {
    std::atomic<int> of{-1};
  };

  ThreadPool(int num_threads, std::error_code* refused);
  void WorkerLoop(int thread_index);
  void CallFunction(int thread_index) noexcept;
  void WaitWhileEqual(const std::atomic<uint32_t>& value, uint32_t old);
  void NoteProcessor();
  // True when another member was last seen where the calling one is.
  bool SharesProcessor() const;

  const int num_threads_;
  const std::unique_ptr<Processor[]> processors_;
  const TeamFunction* function_ = nullptr;
  alignas(64) std::atomic<uint32_t> generation_{0};  // bumped by Run; odd or even means nothing
  alignas(64) std::atomic<int> pending_{0};  // workers that have not finished this generation
  alignas(64) std::atomic<int> arrived_{0};  // members inside the current barrier
  alignas(64) std::atomic<uint32_t> barrier_phase_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> has_thrown_{false};
  std::exception_ptr thrown_;  // by the member that set has_thrown_
  std::vector<std::thread> workers_;
};

// The number of threads to use when the user names none: the processors this process may run on.
int DefaultThreads();

}  // namespace headway
