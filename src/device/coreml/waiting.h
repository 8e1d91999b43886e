#pragma once

// The result of a call that is answered on another thread, Core ML's say. Inside this folder only.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace headway::coreml {

// A copy shares the place, so that what outlives the caller writes into memory that is
// there.
template <class T>
class Waiting {
 public:
  void Resolve(Result<T> result) const {
    const std::lock_guard lock(place_->mutex);
    place_->result = std::move(result);
    place_->changed.notify_one();
  }
  Result<T> Wait() const {
    std::unique_lock lock(place_->mutex);
    place_->changed.wait(lock, [this] { return place_->result.has_value(); });
    return *std::move(place_->result);
  }

 private:
  struct Place {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<T>> result;
  };
  std::shared_ptr<Place> place_ = std::make_shared<Place>();
};

}  // namespace headway::coreml
