#include "grammar/uri.h"

#include <algorithm>
#include <vector>

namespace headway::grammar {
namespace {

// The length of "scheme:", 0 without one.
size_t SchemeLength(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0) return 0;
  const bool plain = uri.substr(0, colon).find_first_of("/?#") == std::string_view::npos;
  return plain ? colon + 1 : 0;
}

// Where the path begins: behind "scheme://authority".
size_t PathBegin(std::string_view uri) {
  const size_t scheme = SchemeLength(uri);
  if (uri.substr(scheme, 2) != "//") return scheme;
  return std::min(uri.find_first_of("/?", scheme + 2), uri.size());
}

std::string WithoutDots(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool absolute = !path.empty() && path.front() == '/';
  bool ends_open = false;
  for (size_t at = absolute ? 1 : 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    ends_open = part == "." || part == "..";
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!ends_open) parts.push_back(part);
    at = end + 1;
  }
  std::string joined = absolute ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined += '/';
    joined += parts[i];
  }
  if (ends_open && !parts.empty()) joined += '/';
  return joined;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::string ResolveUri(std::string_view base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  base = base.substr(0, base.find('#'));
  if (reference.empty()) return std::string(base);
  if (SchemeLength(reference) > 0) return std::string(reference);
  const std::string scheme(base.substr(0, SchemeLength(base)));
  if (reference.substr(0, 2) == "//") return scheme + std::string(reference);
  const size_t path = PathBegin(base);
  const std::string root(base.substr(0, path));
  const size_t query = std::min(reference.find('?'), reference.size());
  const std::string tail(reference.substr(query));
  const std::string_view relative = reference.substr(0, query);
  if (!relative.empty() && relative.front() == '/') return root + WithoutDots(relative) + tail;
  std::string_view directory = base.substr(path);
  directory = directory.substr(0, directory.find('?'));
  const size_t slash = directory.rfind('/');
  directory = slash == std::string_view::npos ? "" : directory.substr(0, slash + 1);
  const bool is_rooted = !directory.empty() && directory.front() == '/';
  std::string joined = !is_rooted && root.find("//") != std::string::npos ? "/" : "";
  joined.append(directory).append(relative);
  return root + WithoutDots(joined) + tail;
}

std::string FragmentOf(std::string_view reference) {
  const size_t begin = reference.find('#');
  std::string fragment;
  if (begin == std::string_view::npos) return fragment;
  const std::string_view text = reference.substr(begin + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                        HexDigit(text[i + 2]) >= 0;
    if (escape) {
      fragment += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      fragment += text[i];
    }
  }
  return fragment;
}

}  // namespace headway::grammar
