#include "base/notice.h"

#include <cstdio>

#include "base/quoted.h"

namespace headway {

void Notice(std::string_view lines) { std::fputs(Printable(lines).c_str(), stderr); }

}  // namespace headway
