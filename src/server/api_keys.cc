#include "server/api_keys.h"

#include <cstddef>

namespace headway::server {
namespace {

// Takes as long for every `given` of a length, wherever the two differ.
bool AreEqual(std::string_view key, std::string_view given) {
  size_t difference = key.size() ^ given.size();
  for (size_t i = 0; i < given.size(); ++i) {
    const auto expected = static_cast<unsigned char>(key[key.empty() ? 0 : i % key.size()]);
    difference |= static_cast<size_t>(expected ^ static_cast<unsigned char>(given[i]));
  }
  return difference == 0;
}

}  // namespace

bool ApiKeys::Has(std::string_view key) const {
  bool found = false;
  for (const std::string& one : keys_) found = AreEqual(one, key) || found;
  return found;
}

bool ApiKeys::Allow(const HttpRequest& request) const {
  if (keys_.empty()) return true;
  constexpr std::string_view kBearer = "Bearer ";
  const std::string authorization = request.header("Authorization");
  if (authorization.starts_with(kBearer) &&
      Has(std::string_view(authorization).substr(kBearer.size())))
    return true;
  return Has(request.header("X-Api-Key"));
}

}  // namespace headway::server
