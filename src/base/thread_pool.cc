#include "base/thread_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/platform.h"

namespace headway {
namespace {

// About 50 us at 3.5 GHz with a 40-cycle pause; waiting longer than that sleeps.
constexpr int kSpins = 4000;

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Which member of its team a thread is.
thread_local int this_member = 0;

}  // namespace

// Spins, then sleeps, until `value` differs from `old`. Spinning for a member that waits for this
// very processor would only keep it waiting: then the thread sleeps at once, and the kernel wakes
// it on an idle processor if there is one.
void ThreadPool::WaitWhileEqual(const std::atomic<uint32_t>& value, uint32_t old) {
  const int spins = SharesProcessor() ? 0 : kSpins;
  for (int spin = 0; spin < spins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    Pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

void ThreadPool::NoteProcessor() {
  processors_[static_cast<size_t>(this_member)].of.store(platform::CurrentProcessor(),
                                                         std::memory_order_relaxed);
}

bool ThreadPool::SharesProcessor() const {
  const int here = processors_[static_cast<size_t>(this_member)].of.load(std::memory_order_relaxed);
  for (int i = 0; i < num_threads_; ++i) {
    const int there = processors_[static_cast<size_t>(i)].of.load(std::memory_order_relaxed);
    if (i != this_member && there == here && here >= 0) return true;
  }
  return false;
}

// Those that did start wait for the destructor: nothing may leave this one once there are some.
ThreadPool::ThreadPool(int num_threads, std::error_code* refused)
    : num_threads_(num_threads),
      processors_(std::make_unique<Processor[]>(static_cast<size_t>(num_threads))) {
  HW_CHECK(num_threads >= 1, "a team has at least one member");
  workers_.reserve(static_cast<size_t>(num_threads - 1));
  std::error_code error;
  try {
    for (int i = 1; i < num_threads; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
  } catch (const std::system_error& refusal) {
    error = refusal.code();
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
  }
  HW_CHECK(!error || refused != nullptr, "a team that can be started");
  if (error) *refused = error;
}

ThreadPool::ThreadPool(int num_threads) : ThreadPool(num_threads, nullptr) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Start(int num_threads) {
  std::error_code refused;
  std::unique_ptr<ThreadPool> pool(new ThreadPool(num_threads, &refused));
  if (!refused) return pool;
  return Fail(ErrorCode::kIo,
              fmt::format("threads: expected {}, the system started {} ({}); ask for fewer, or "
                          "raise its limit (ulimit -u)",
                          num_threads, pool->workers_.size() + 1, refused.message()));
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(TeamFunction function) {
  if (num_threads_ == 1) {
    function(0);
    return;
  }
  function_ = &function;
  this_member = 0;
  NoteProcessor();
  pending_.store(num_threads_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  CallFunction(0);
  const int spins = SharesProcessor() ? 0 : kSpins;
  for (int spin = 0; pending_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < spins) {
      Pause();
    } else {
      const int left = pending_.load(std::memory_order_acquire);
      if (left != 0) pending_.wait(left, std::memory_order_acquire);
    }
  }
  if (has_thrown_.load(std::memory_order_relaxed)) {
    has_thrown_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(thrown_, nullptr));
  }
}

// The others still use what the caller of Run() owns, so nothing leaves it before they end.
void ThreadPool::CallFunction(int thread_index) noexcept {
  try {
    (*function_)(thread_index);
  } catch (...) {
    if (!has_thrown_.exchange(true, std::memory_order_relaxed)) thrown_ = std::current_exception();
  }
}

void ThreadPool::WorkerLoop(int thread_index) {
  this_member = thread_index;
  uint32_t seen = 0;
  while (true) {
    WaitWhileEqual(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    NoteProcessor();
    if (stopping_.load(std::memory_order_relaxed)) return;
    CallFunction(thread_index);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }
}

void ThreadPool::Barrier() {
  if (num_threads_ == 1) return;
  NoteProcessor();
  const uint32_t phase = barrier_phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == num_threads_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    barrier_phase_.fetch_add(1, std::memory_order_release);
    barrier_phase_.notify_all();
  } else {
    WaitWhileEqual(barrier_phase_, phase);
  }
}

int DefaultThreads() { return platform::NumProcessors(); }

}  // namespace headway
