#pragma once

// Where this build's tests find the source tree (models/, testdata, docs) and the build's own
// directory (the tool, test_data). No trailing slash.

#include <string>

namespace headway {

std::string SourceDirectory();
std::string BinaryDirectory();

}  // namespace headway
