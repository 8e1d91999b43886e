#pragma once

// Calls that may take long, from Python: the interpreter goes on, and Ctrl-C stops them.

#include <nanobind/nanobind.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

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

// Runs `work` in a thread of its own; while it runs, Python's signal handlers do, too. Where one
// raises (KeyboardInterrupt), `cancel` is set until the work has ended, and the exception goes on.
inline void CheckInterruptible(headway_cancel* cancel,
                               const std::function<headway_status()>& work) {
  headway_status status = HEADWAY_OK;
  std::string text;
  std::mutex mutex;
  std::condition_variable ended;
  bool is_done = false;
  std::thread worker([&] {
    const headway_status found = work();
    const std::lock_guard lock(mutex);
    status = found;
    if (found != HEADWAY_OK) text = headway_error_text();
    is_done = true;
    ended.notify_one();
  });
  std::optional<nanobind::python_error> raised;
  for (bool goes_on = true; goes_on;) {
    {
      const nanobind::gil_scoped_release unlocked;
      std::unique_lock lock(mutex);
      goes_on = !ended.wait_for(lock, std::chrono::milliseconds(20), [&] { return is_done; });
    }
    if (goes_on && !raised && PyErr_CheckSignals() != 0) {
      raised.emplace();
      headway_cancel_set(cancel, 1);
    }
  }
  worker.join();
  if (raised) {
    headway_cancel_set(cancel, 0);
    throw nanobind::python_error(*std::move(raised));
  }
  if (status != HEADWAY_OK) throw Failure{status, text};
}

}  // namespace headway::python
