#pragma once

// The server as a whole: a model's service behind its router, listening.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/open.h"
#include "server/http_server.h"
#include "server/router.h"
#include "server/service.h"

namespace headway::server {

struct ServerOptions {
  HttpOptions http = {};
  ServiceOptions service = {};
  std::vector<std::string> api_keys = {};  // empty: everyone may ask
  std::string cors_origin = {};            // "*" or an origin; empty: no page of another origin may
};

class Server {
 public:
  // Errors: those of Service::Start and HttpServer::Listen.
  static Result<std::unique_ptr<Server>> Start(std::unique_ptr<OpenedModel> model,
                                               const ServerOptions& options);

  int Port() const { return http_->Port(); }
  const Service& GetService() const { return *service_; }

  // No more connections and requests; what runs is answered. Returns when all is, or after so many
  // seconds, when the rest was cancelled.
  void Drain(double longest_s);

 private:
  Server() = default;

  std::unique_ptr<Service> service_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> http_;  // ends first
};

}  // namespace headway::server
