#pragma once

// What the stand-in for Core ML does wrong, and what it has done: for tests. A real one does all of
// this now and then. Plain C++, so that tests need no Objective-C.

#include <cstdint>
#include <string>
#include <vector>

namespace headway::standin {

// Shares are probabilities of a prediction, decided by a counter of predictions and `seed`, so that
// a run can be repeated.
struct Behaviour {
  uint64_t seed = 0;
  double ignores_backings = 0;  // outputs in memory of its own
  double pads = 0;              // such outputs with padded strides
  double fails = 0;             // a prediction gives an error
  double throws = 0;            // a prediction raises an exception
  double is_slow = 0;           // a prediction takes up to two milliseconds longer
  int64_t fails_at = -1;        // that prediction, counted from 0, fails
  // Packages whose path contains the text; empty: none.
  std::string cannot_compile = {};
  std::string cannot_load = {};
  std::string cannot_plan = {};
  // Models lack these, or tell another shape of them.
  std::string missing_feature = {};
  std::string other_shape = {};
  std::string missing_output = {};              // predictions lack it
  std::string bad_strides = {};                 // predictions give it with strides past its end
  std::vector<std::string> off_engine = {};     // types of ops that run on the CPU all the same
  std::vector<std::string> without_usage = {};  // types of ops that the plan does not tell of
};

// For everything from now on. Not while predictions run.
void Behave(const Behaviour& behaviour);

struct Account {
  int64_t compiled = 0;
  int64_t loaded = 0;
  int64_t predictions = 0;
  int64_t failed = 0;
  int64_t backings_used = 0;
  int64_t backings_ignored = 0;
  int64_t given_as_input = 0;  // inputs that are outputs of an earlier prediction, the same object
  int64_t most_at_once = 0;    // predictions that were under way at the same time
};
// Since the last Behave().
Account TakeAccount();

}  // namespace headway::standin
