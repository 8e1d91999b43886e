#pragma once

// The C API's handles as C++ objects, freed with their last user.

#include <algorithm>
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

// The list that `call(memory, capacity, &count)` writes, which mostly has at most `room` elements.
// Called without the interpreter's lock: what computes with the same engine may take long.
template <class T, class Call>
std::vector<T> ReadList(size_t room, const Call& call) {
  std::vector<T> list(std::max<size_t>(room, 1));  // no room would ask for the count alone
  for (bool fits = false; !fits;) {
    size_t count = 0;
    CheckUnlocked([&] {
      const headway_status status = call(list.data(), list.size(), &count);
      fits = status != HEADWAY_TOO_SMALL;
      return fits ? status : headway_status{HEADWAY_OK};
    });
    list.resize(count);
  }
  return list;
}

}  // namespace headway::python
