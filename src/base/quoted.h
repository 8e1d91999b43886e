#pragma once

// Text from outside in messages: names and tokens of hostile files go onto terminals.

#include <string>
#include <string_view>

namespace headway {

// 'text' with everything outside printable ASCII as \xNN, cut after 80 characters.
std::string Quoted(std::string_view text);

}  // namespace headway
