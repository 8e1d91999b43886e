#pragma once

// The text of rules.json; its definition is generated at build time (src/mil/CMakeLists.txt).

namespace headway::mil {

extern const char* const kPlacementRulesText;

}  // namespace headway::mil
