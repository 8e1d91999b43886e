#pragma once

// From a request's path to its endpoint: who may call it, and what browsers are told.

#include <optional>
#include <string>

#include "server/api_keys.h"
#include "server/http.h"
#include "server/service.h"

namespace headway::server {

class Router {
 public:
  // `cors_origin`: whose pages in browsers may call the API: "*", or origins with commas, "localhost"
  // for those of this machine; empty: nobody's. `service` must outlive this.
  Router(const Service* service, ApiKeys keys, std::string cors_origin)
      : service_(service), keys_(std::move(keys)), cors_origin_(std::move(cors_origin)) {}

  // 401 for requests that need a key and have none.
  std::optional<HttpReply> Screen(const HttpRequest& request) const;
  HttpReply Answer(const HttpRequest& request) const;

 private:
  HttpReply Dispatch(const HttpRequest& request) const;

  const Service* const service_;
  const ApiKeys keys_;
  const std::string cors_origin_;
};

}  // namespace headway::server
