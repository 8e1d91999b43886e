#pragma once

// The text of rules.json; its definition is generated at build time
// (src/device/coreml/CMakeLists.txt).

#include <string_view>

namespace headway::mil {

std::string_view PlacementRulesText();

}  // namespace headway::mil
