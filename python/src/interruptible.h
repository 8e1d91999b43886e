#pragma once

// Calls that may take long, from Python: the interpreter goes on, and Ctrl-C stops them.

#include <nanobind/nanobind.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "headway/headway.h"

namespace headway::python {

// What a call of the C API said; becomes one of the exceptions of headway/errors.py.
struct Failure {
  headway_status status;
  std::string text;
};

inline void Check(headway_status status) {
  if (status != HEADWAY_OK) throw Failure{status, headway_error_text()};
}

// A short call, without the interpreter's lock.
template <class Work>
void CheckUnlocked(const Work& work) {
  headway_status status = HEADWAY_OK;
  std::string text;
  {
    const nanobind::gil_scoped_release unlocked;
    status = work();
    if (status != HEADWAY_OK) text = headway_error_text();
  }
  if (status != HEADWAY_OK) throw Failure{status, text};
}

// Where the thread that works and the interpreter's meet: the first one's progress waits until the
// second one has told Python of it.
class Meeting {
 public:
  // A function of the C API's; `user` is a meeting.
  static void Tell(void* user, const char* work, int64_t done, int64_t total) {
    static_cast<Meeting*>(user)->Wait({work, done, total});
  }

  void End(headway_status status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    if (status != HEADWAY_OK) text_ = headway_error_text();
    is_over_ = true;
    changed_.notify_all();
  }

  struct Progress {
    const char* work;
    int64_t done, total;
  };
  // The interpreter's turn, without its lock: what there is to tell, or nothing so far.
  std::optional<Progress> Next() {
    const nanobind::gil_scoped_release unlocked;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(20), [&] { return is_over_ || told_; });
    return told_;
  }
  // It was told: the work goes on.
  void GoOn() {
    const std::lock_guard lock(mutex_);
    told_.reset();
    changed_.notify_all();
  }
  bool IsOver() {
    const std::lock_guard lock(mutex_);
    return is_over_;
  }
  // Of the work, which is over.
  Failure Outcome() const { return {status_, text_}; }

 private:
  void Wait(const Progress& progress) {
    std::unique_lock lock(mutex_);
    told_ = progress;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !told_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Progress> told_;
  bool is_over_ = false;
  headway_status status_ = HEADWAY_OK;
  std::string text_;
};

// Runs `work` in a thread of its own; while it runs, Python's signal handlers do, too, and
// `listener`, a function or none, hears of what Meeting::Tell() is told, in the caller's thread.
// Where one of them raises (KeyboardInterrupt), `cancel` is set until the work has ended, and the
// exception goes on.
inline void CheckInterruptible(headway_cancel* cancel,
                               const std::function<headway_status(Meeting*)>& work,
                               const nanobind::object& listener = nanobind::none()) {
  Meeting meeting;
  std::thread worker([&] { meeting.End(work(&meeting)); });
  std::optional<nanobind::python_error> raised;
  while (!meeting.IsOver()) {
    const std::optional<Meeting::Progress> told = meeting.Next();
    if (told && !raised) {
      try {
        listener(told->work, told->done, told->total);
      } catch (nanobind::python_error& error) {
        raised.emplace(std::move(error));
      }
    }
    if (!raised && PyErr_CheckSignals() != 0) raised.emplace();
    if (raised) headway_cancel_set(cancel, 1);
    if (told) meeting.GoOn();
  }
  worker.join();
  if (raised) {
    headway_cancel_set(cancel, 0);
    throw nanobind::python_error(*std::move(raised));
  }
  const Failure outcome = meeting.Outcome();
  if (outcome.status != HEADWAY_OK) throw outcome;
}

}  // namespace headway::python
