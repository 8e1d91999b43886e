#pragma once

// Ownership of Objective-C objects, retained and released by hand: ARC does not run on the runtime
// that the tests use elsewhere (docs/mac.md). Inside this folder only.

#import <Foundation/Foundation.h>

#include <utility>

namespace headway::coreml {

// Holds one reference. T is a pointer to a class: MLModel*.
template <class T>
class Owned {
 public:
  Owned() = default;
  // Takes over a reference that the caller has: of alloc, new, copy.
  static Owned Adopt(T object) {
    Owned owned;
    owned.object_ = object;
    return owned;
  }
  // Takes a reference of its own.
  static Owned Retain(T object) { return Adopt([object retain]); }

  Owned(const Owned& other) : object_([other.object_ retain]) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nil)) {}
  Owned& operator=(Owned other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { [object_ release]; }

  T Get() const { return object_; }
  explicit operator bool() const { return object_ != nil; }

 private:
  T object_ = nil;
};

}  // namespace headway::coreml
