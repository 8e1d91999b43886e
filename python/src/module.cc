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
  headway::python::BindEngine(module);
  headway::python::BindSequence(module);
}
