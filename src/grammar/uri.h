#pragma once

// As much of RFC 3986 as references between the parts of a schema need.

#include <string>
#include <string_view>

namespace headway::grammar {

// `reference` seen from `base`, without its fragment.
std::string ResolveUri(std::string_view base, std::string_view reference);

// What stands behind '#', %-escapes resolved; "" without one.
std::string FragmentOf(std::string_view reference);

}  // namespace headway::grammar
