#pragma once

// Where a program's ops were predicted to run against where they were measured to.

#include <string>

#include "device/residency.h"

namespace headway::gates {

// Empty where nothing was measured beside a prediction; else lines that begin with four blanks: how
// many ops run as predicted, and each that does not as in a diff, ops of one kind that moved alike
// once.
std::string PlacementDifference(const Residency& residency);

}  // namespace headway::gates
