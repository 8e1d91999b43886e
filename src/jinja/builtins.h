#pragma once

// What templates may call: filters, tests, global functions, and methods of strings, lists, dicts.
// Each is looked up by name; null means that there is none.

#include <string_view>

#include "jinja/context.h"
#include "jinja/value.h"

namespace headway::jinja {

Builtin FindFilter(std::string_view name);
Builtin FindTest(std::string_view name);
Builtin FindGlobal(std::string_view name);
// Of a value of that kind.
Builtin FindMethod(const Value& receiver, std::string_view name);

struct NamedBuiltin {
  std::string_view name;
  Builtin builtin;
};

// The parts of those lists, by what they work on.
Builtin FindTextFilter(std::string_view name);
Builtin FindNumberFilter(std::string_view name);
Builtin FindSequenceFilter(std::string_view name);
Builtin FindSelectionFilter(std::string_view name);
Builtin FindTextMethod(std::string_view name);

template <size_t N>
Builtin FindIn(const NamedBuiltin (&list)[N], std::string_view name) {
  for (const NamedBuiltin& entry : list) {
    if (entry.name == name) return entry.builtin;
  }
  return nullptr;
}

}  // namespace headway::jinja
