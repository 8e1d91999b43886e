#pragma once

// The parts of the module, each in a file of its name.

#include <nanobind/nanobind.h>

namespace headway::python {

void BindEngine(nanobind::module_& module);
void BindSequence(nanobind::module_& module);

}  // namespace headway::python
