#pragma once

// Requests and replies over HTTP, without saying how: endpoints see these types alone.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headway::server {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/models", without what follows a question mark
  std::string body;
  std::string remote;  // the client's address
  // Of the name, in any case; empty: none.
  std::function<std::string(const char* name)> header;
  // Whether the client is still connected. Valid while the reply is made and streamed.
  std::function<bool()> is_there;
};

class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  // Sends at once. False: the client has gone, or does not read.
  virtual bool Write(std::string_view text) = 0;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  // Instead of the body: writes it bit by bit, on the same thread, after the head.
  std::function<void(StreamWriter* writer)> stream = nullptr;
};

// Refuses a request by its head, before its body is read; absent: it may go on.
using HttpScreen = std::function<std::optional<HttpReply>(const HttpRequest& request)>;
using HttpHandler = std::function<HttpReply(const HttpRequest& request)>;

}  // namespace headway::server
