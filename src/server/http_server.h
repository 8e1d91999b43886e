#pragma once

// Listens and speaks HTTP/1.1: a thread a connection, up to a bound; slow and silent clients are cut
// off. The library that parses requests is seen by http_server.cc alone.

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/http.h"

namespace headway::server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;  // 0: any free one
  int64_t most_connections = 2048;
  uint64_t most_body_bytes = uint64_t{16} << 20;
  int idle_s = 60;     // of a connection between requests
  int request_s = 30;  // from a request's first byte to its last
  int write_s = 30;    // for a client to read something
};

class HttpServer {
 public:
  // Answers every request that `screen` lets pass with what `handler` makes of it; both are called by
  // many threads at once.
  // Errors: kIo (the address is taken, or none of this machine's).
  static Result<std::unique_ptr<HttpServer>> Listen(const HttpOptions& options, HttpScreen screen,
                                                    HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // Stop() and Wait()

  int Port() const;
  // Takes no more connections and no more requests; those that are being answered go on.
  void Stop();
  // Until the last answer is written.
  void Wait();

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headway::server
