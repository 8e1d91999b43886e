// headway._headway: the C API for Python. The package's other files make of it what users see.

#include <nanobind/nanobind.h>

#include "bindings.h"
#include "interruptible.h"

namespace nb = nanobind;

NB_MODULE(_headway, module) {
  using headway::python::Failure;
  module.attr("__version__") = headway_version();
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void*) {
        try {
          std::rethrow_exception(thrown);
        } catch (const Failure& failure) {
          const nb::object error =
              nb::module_::import_("headway.errors")
                  .attr("error_of")(failure.status,
                                    nb::bytes(failure.text.data(), failure.text.size()));
          PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
        }
      },
      nullptr);
  // The header's constants that the package's other files use.
  module.attr("INVALID_INPUT") = int{HEADWAY_INVALID_INPUT};
  module.attr("NOT_FOUND") = int{HEADWAY_NOT_FOUND};
  module.attr("UNSUPPORTED") = int{HEADWAY_UNSUPPORTED};
  module.attr("CANCELLED") = int{HEADWAY_CANCELLED};
  module.attr("OUT_OF_MEMORY") = int{HEADWAY_OUT_OF_MEMORY};
  module.attr("LOAD_AUTO") = int{HEADWAY_LOAD_AUTO};
  module.attr("LOAD_MAP") = int{HEADWAY_LOAD_MAP};
  module.attr("LOAD_COPY") = int{HEADWAY_LOAD_COPY};
  module.attr("PARSE_SPECIAL") = int{HEADWAY_PARSE_SPECIAL};
  module.attr("NO_MARKS") = int{HEADWAY_NO_MARKS};
  module.attr("FINISH_WITH_SCHEMA") = int{HEADWAY_FINISH_WITH_SCHEMA};
  module.attr("FINISH_ALWAYS") = int{HEADWAY_FINISH_ALWAYS};
  module.attr("FINISH_NEVER") = int{HEADWAY_FINISH_NEVER};
  module.attr("KV_F16") = int{HEADWAY_KV_F16};
  module.attr("KV_Q8_0") = int{HEADWAY_KV_Q8_0};
  module.attr("JSON_WHITESPACE_CANONICAL") = int{HEADWAY_JSON_WHITESPACE_CANONICAL};
  module.attr("JSON_WHITESPACE_FREE") = int{HEADWAY_JSON_WHITESPACE_FREE};
  headway::python::BindEngine(module);
  headway::python::BindSequence(module);
}
