#pragma once

// The text of rules.json; its definition is generated at build time (src/mil/CMakeLists.txt).

#include <string_view>

namespace headway::mil {

std::string_view PlacementRulesText();

}  // namespace headway::mil
