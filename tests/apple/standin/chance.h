#pragma once

// The stand-in's side of behaviour.h.

#include "behaviour.h"

namespace headway::standin {

Behaviour CurrentBehaviour();
void Count(int64_t Account::*what);

// What happens to one prediction.
struct Fate {
  bool ignores_backings = false, pads = false, fails = false, throws = false;
  int delay_us = 0;
};
Fate BeginPrediction();
void EndPrediction();

}  // namespace headway::standin
