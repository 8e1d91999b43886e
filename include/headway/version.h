#pragma once

// The version of the library and of the command line tool.

namespace headway {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace headway
