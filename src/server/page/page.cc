#include "server/page/page.h"

#include <algorithm>
#include <iterator>

namespace headway::server {
namespace {

#include "server/page/files.inc"

}  // namespace

const PageFile* FindPageFile(std::string_view path) {
  const auto found = std::find_if(std::begin(kPageFiles), std::end(kPageFiles),
                                  [&](const PageFile& file) { return file.path == path; });
  return found == std::end(kPageFiles) ? nullptr : found;
}

}  // namespace headway::server
