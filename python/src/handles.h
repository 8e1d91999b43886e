#pragma once

// The C API's handles as C++ objects, freed with their last user.

#include <cstdint>
#include <memory>
#include <vector>

#include "interruptible.h"

namespace headway::python {

template <class T, void (*kFree)(T*)>
struct Freer {
  void operator()(T* handle) const { kFree(handle); }
};
template <class T, void (*kFree)(T*)>
using Handle = std::unique_ptr<T, Freer<T, kFree>>;
using CancelHandle = Handle<headway_cancel, headway_cancel_free>;
using EngineHandle = Handle<headway_engine, headway_close>;
using SequenceHandle = Handle<headway_sequence, headway_sequence_free>;
using StreamHandle = Handle<headway_stream, headway_stream_free>;

inline CancelHandle NewCancel() {
  headway_cancel* cancel = nullptr;
  Check(headway_cancel_new(&cancel));
  return CancelHandle(cancel);
}

struct Engine {
  EngineHandle handle;
};

struct Sequence {
  CancelHandle cancel;
  SequenceHandle handle;
};

struct Stream {
  StreamHandle handle;
};

// The list that `call(memory, capacity, &count)` writes.
template <class T, class Call>
std::vector<T> ReadList(const Call& call) {
  size_t count = 0;
  Check(call(nullptr, 0, &count));
  std::vector<T> list(count);
  if (count > 0) Check(call(list.data(), list.size(), &count));
  return list;
}

}  // namespace headway::python
