#pragma once

// Who may ask: keys, compared in constant time.

#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"

namespace headway::server {

class ApiKeys {
 public:
  // Empty: everyone may.
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  // Whether the request has a key: "Authorization: Bearer KEY" or "X-Api-Key: KEY".
  bool Allow(const HttpRequest& request) const;
  bool Has(std::string_view key) const;

 private:
  const std::vector<std::string> keys_;
};

}  // namespace headway::server
