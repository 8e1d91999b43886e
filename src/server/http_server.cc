#include "server/http_server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/exhaustion.h"
#include "base/platform.h"
#include "server/api_error.h"
#include "server/connection.h"
#include "server/connection_stream.h"
#include "server/http_library.h"

namespace headway::server {
namespace {

constexpr int kBacklog = 1024;
// How answers in the making learn whether their client is there: a thread has one connection, and
// serves it from beginning to end.
thread_local const Connection* connection_of_thread = nullptr;
// What a request may have besides its body: the request line and headers.
constexpr uint64_t kMostHeadBytes = uint64_t{1} << 20;

// A connection is an open file, of which a process may have 1,024 unless it asks for more.
void AllowFiles(int64_t count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = std::min(static_cast<rlim_t>(count), limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// A thread for every connection: most of them wait, for a token or for their client.
class ThreadEach final : public httplib::TaskQueue {
 public:
  Enqueued enqueue(std::function<void()> task) override {
    {
      const std::lock_guard lock(mutex_);
      ++active_;
    }
    const auto run = [this, task = std::move(task)] {
      task();
      const std::lock_guard lock(mutex_);
      --active_;
      idle_.notify_all();
    };
    try {
      std::thread(run).detach();
    } catch (const std::exception&) {  // no thread, or no memory for one: here, others wait
      run();
    }
    return static_cast<Enqueued>(true);
  }
  void shutdown() override {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return active_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  int64_t active_ = 0;
};

class SinkWriter final : public StreamWriter {
 public:
  explicit SinkWriter(httplib::DataSink* sink) : sink_(sink) {}
  bool Write(std::string_view text) override {
    return good_ = good_ && sink_->write(text.data(), text.size());
  }

 private:
  httplib::DataSink* const sink_;
  bool good_ = true;
};

void SetReply(HttpReply reply, httplib::Response* response) {
  response->status = reply.status;
  for (const auto& [name, value] : reply.headers) response->set_header(name, value);
  if (!reply.stream) {
    response->set_content(reply.body, reply.content_type);
    return;
  }
  response->set_chunked_content_provider(
      reply.content_type, [stream = std::move(reply.stream)](size_t, httplib::DataSink& sink) {
        SinkWriter writer(&sink);
        stream(&writer);
        sink.done();
        return true;
      });
}

std::string ErrorBody(int status, const std::string& message) {
  return JsonText(OpenAiError({.status = status, .message = message}));
}

void SetError(int status, const std::string& message, httplib::Response* response) {
  response->status = status;
  response->set_content(ErrorBody(status, message), "application/json; charset=utf-8");
}

}  // namespace

// Not in the unnamed namespace, because HttpServer::State holds one.
class HttpLibrary final : public ServerOfAnyVersion {
 public:
  HttpLibrary(HttpOptions options, HttpScreen screen, HttpHandler handler)
      : options_(std::move(options)), screen_(std::move(screen)), handler_(std::move(handler)) {
    if (::pipe(stop_.data()) != 0) stop_ = {-1, -1};
    new_task_queue = [] { return new ThreadEach; };  // the library deletes it
    // Two servers on one port would share its connections in silence (SO_REUSEPORT).
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    set_payload_max_length(options_.most_body_bytes);
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      SetReply(handler_(Neutral(request)), &response);
    };
    Get(".*", answer).Post(".*", answer).Put(".*", answer).Patch(".*", answer);
    Delete(".*", answer).Options(".*", answer);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      std::optional<HttpReply> refusal = Screen(request);
      if (!refusal) return HandlerResponse::Unhandled;
      SetReply(*std::move(refusal), &response);
      return HandlerResponse::Handled;
    });
    set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return HandlerResponse::Unhandled;
      SetError(response.status, "the request could not be read", &response);
      return HandlerResponse::Handled;
    }));
    set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
          SetError(500, "internal error", &response);
        });
  }
  HttpLibrary(const HttpLibrary&) = delete;
  HttpLibrary& operator=(const HttpLibrary&) = delete;
  ~HttpLibrary() override {
    for (const int fd : stop_) ::close(fd);
  }

  // The port; -1: the address cannot be had.
  int Bind() {
    const int port = options_.port == 0                           ? bind_to_any_port(options_.host)
                     : bind_to_port(options_.host, options_.port) ? options_.port
                                                                  : -1;
    if (port > 0) ::listen(svr_sock_, kBacklog);  // the library's own is 5
    return port;
  }
  void StopAccepting() {
    if (stopped_.exchange(true)) return;
    // Not stop(), which would cut answers off.
    ::shutdown(svr_sock_, SHUT_RDWR);
    static_cast<void>(!::write(stop_[1], "x", 1));
  }

 private:
  // What is refused before its body is read.
  std::optional<HttpReply> Screen(const httplib::Request& request) const {
    // Compressed bodies could unfold to any size.
    const std::string encoding = request.get_header_value("Content-Encoding");
    const bool is_plain = encoding.empty() || encoding == "identity";
    if (is_plain && !request.is_multipart_form_data()) return screen_(Neutral(request));
    return HttpReply{
        .status = 415,
        .body =
            ErrorBody(415, "expected a body of JSON as it is, found a compressed one or a form")};
  }

  static HttpRequest Neutral(const httplib::Request& request) {
    return {.method = request.method,
            .path = request.path,
            .body = request.body,
            .remote = request.remote_addr,
            .header = [&request](const char* name) { return request.get_header_value(name); },
            .is_there = [] { return connection_of_thread->IsThere(); }};
  }

  // One connection from its first request to its last.
  bool process_and_close_socket(socket_t socket) override {
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (++connections_ > options_.most_connections) {
      constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
          "Connection: close\r\n\r\n";
      platform::SendNow(socket, kBusy.data(), kBusy.size());
    } else {
      Converse(socket);
    }
    --connections_;
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return true;
  }

  void Converse(socket_t socket) {
    Connection connection(socket, stop_[0], options_.write_s);
    connection_of_thread = &connection;
    ConnectionStream stream(&connection);
    bool goes_on = true;
    while (goes_on && connection.WaitForRequest(options_.idle_s)) {
      connection.BeginRequest(options_.request_s, options_.most_body_bytes + kMostHeadBytes);
      bool closed = false;
      bool has_unread_body = false;
      const auto setup = [&](httplib::Request& request) {
        // The library would compress streams in large pieces, and cut answers into ranges.
        request.headers.erase("Accept-Encoding");
        request.ranges.clear();
        has_unread_body = Screen(request).has_value();
      };
      goes_on = Process(stream, stopped_, &closed, setup) && !closed && !stopped_;
      if (has_unread_body) {
        connection.Linger();
        goes_on = false;
      }
    }
  }

  const HttpOptions options_;
  const HttpScreen screen_;
  const HttpHandler handler_;
  std::array<int, 2> stop_ = {-1, -1};  // a pipe that is readable once we stop
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> connections_{0};
};

struct HttpServer::State {
  State(const HttpOptions& options, HttpScreen screen, HttpHandler handler)
      : library(options, std::move(screen), std::move(handler)) {}
  HttpLibrary library;
  int port = -1;
  std::thread listener;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const HttpOptions& options,
                                                       HttpScreen screen, HttpHandler handler) {
  constexpr int64_t kOtherFiles = 256;
  AllowFiles(options.most_connections + kOtherFiles);
  auto state = std::make_unique<State>(options, std::move(screen), std::move(handler));
  state->port = state->library.Bind();
  if (state->port <= 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}:{}: expected an address of this machine and a free port, found "
                            "none to listen at",
                            options.host, options.port));
  }
  HW_TRY(state->listener,
         StartThread("the server", [library = &state->library] { library->listen_after_bind(); }));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  Stop();
  Wait();
}

int HttpServer::Port() const { return state_->port; }

void HttpServer::Stop() { state_->library.StopAccepting(); }

void HttpServer::Wait() {
  if (state_->listener.joinable()) state_->listener.join();
}

}  // namespace headway::server
