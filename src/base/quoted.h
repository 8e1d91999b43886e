#pragma once

// Text from outside in messages: names and tokens of hostile files go onto terminals.

#include <string>
#include <string_view>

namespace headway {

// 'text' with everything outside printable ASCII as \xNN, cut after 80 characters.
std::string Quoted(std::string_view text);

// A whole text for a terminal: lines, tabs and well-formed UTF-8 as they are; control characters,
// what turns the direction of writing, and bytes outside UTF-8 as \xNN.
std::string Printable(std::string_view text);

// The same within a line: new lines as \n and tabs as \x09, and "..." after 200 bytes.
std::string PrintableWords(std::string_view text);

}  // namespace headway
