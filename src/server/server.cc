#include "server/server.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/exhaustion.h"

namespace headway::server {

Result<std::unique_ptr<Server>> Server::Start(std::unique_ptr<OpenedModel> model,
                                              const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server());
  HW_TRY(server->service_, Service::Start(std::move(model), options.service));
  server->router_ = std::make_unique<Router>(server->service_.get(), ApiKeys(options.api_keys),
                                             options.cors_origin);
  const Router* const router = server->router_.get();
  HW_TRY(server->http_,
         HttpServer::Listen(
             options.http, [router](const HttpRequest& request) { return router->Screen(request); },
             [router](const HttpRequest& request) { return router->Answer(request); }));
  return server;
}

void Server::Drain(double longest_s) {
  service_->Drain();
  http_->Stop();
  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;
  auto waiting = StartThread("the server", [&] {
    http_->Wait();
    const std::lock_guard lock(mutex);
    is_done = true;
    done.notify_all();
  });
  if (!waiting) {  // nobody to wait meanwhile: at once
    service_->CancelAll();
    http_->Wait();
    return;
  }
  {
    std::unique_lock lock(mutex);
    if (!done.wait_for(lock, std::chrono::duration<double>(longest_s), [&] { return is_done; }))
      service_->CancelAll();
  }
  waiting->join();
}

}  // namespace headway::server
