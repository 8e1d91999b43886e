#pragma once

// The smallest size of each struct that a released header had: what headway_abi() 1 promises to take
// for ever. A struct that grows keeps its line; a new one gets a line with its size then, which
// `abi_test.py --record` also keeps (tests/c_api/abi.txt). Inside this folder only.

#include <cstddef>

#include "headway/headway.h"

namespace headway::c_api {

// A struct without a line here does not compile where it is read or written.
template <class T>
struct FirstSize;

#define HEADWAY_FIRST_SIZE(name, bytes)                                            \
  template <>                                                                      \
  struct FirstSize<name> {                                                         \
    static constexpr size_t kBytes = bytes;                                        \
    static_assert((bytes) <= sizeof(name) && (bytes) % alignof(name) == 0, #name); \
  };
HEADWAY_FIRST_SIZE(headway_open_options, 80)
HEADWAY_FIRST_SIZE(headway_summary, 144)
HEADWAY_FIRST_SIZE(headway_chat_options, 40)
HEADWAY_FIRST_SIZE(headway_sampling, 88)
HEADWAY_FIRST_SIZE(headway_grammar_options, 32)
HEADWAY_FIRST_SIZE(headway_sequence_options, 88)
HEADWAY_FIRST_SIZE(headway_sink, 32)
HEADWAY_FIRST_SIZE(headway_sequence_state, 48)
HEADWAY_FIRST_SIZE(headway_row, 48)
HEADWAY_FIRST_SIZE(headway_choice, 24)
HEADWAY_FIRST_SIZE(headway_certificate, 88)
HEADWAY_FIRST_SIZE(headway_counters, 288)
HEADWAY_FIRST_SIZE(headway_generate_options, 48)
HEADWAY_FIRST_SIZE(headway_generated, 64)
HEADWAY_FIRST_SIZE(headway_perplexity_options, 32)
HEADWAY_FIRST_SIZE(headway_perplexity_result, 48)
#undef HEADWAY_FIRST_SIZE

}  // namespace headway::c_api
