#pragma once

// cpp-httplib from 0.11 (Debian 12) to 0.53 (Homebrew, 2026-11), told apart by what its types
// offer, because the version's number is a text. All that differs stands here; for http_server.cc
// and connection_stream.h alone.

#include <httplib.h>

#include <ctime>
#include <functional>
#include <string>
#include <utility>

namespace headway::server {

// From 0.15 on a queue says whether it takes a task.
using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));

// What only some versions ask of a stream: is_writable until 0.19, the others from 0.20 on. Whoever
// derives from this and from httplib::Stream overrides what is there.
class StreamOfSomeVersions {
 protected:
  ~StreamOfSomeVersions() = default;
  // NOLINTBEGIN(readability-identifier-naming): the library's names
  virtual bool is_writable() const = 0;
  virtual bool wait_readable() const = 0;
  virtual bool wait_writable() const = 0;
  virtual time_t duration() const = 0;
  // NOLINTEND(readability-identifier-naming)
};

// From 0.18 on the caller says who talks to whom, before the library asked the stream.
class ServerOfAnyVersion : public httplib::Server {
 protected:
  template <class Stream>
  bool Process(Stream& stream, bool close, bool* closed,
               const std::function<void(httplib::Request&)>& setup) {
    if constexpr (requires { this->process_request(stream, close, *closed, setup); }) {
      return this->process_request(stream, close, *closed, setup);
    } else {
      std::string remote;
      std::string local;
      int remote_port = 0;
      int local_port = 0;
      stream.get_remote_ip_and_port(remote, remote_port);
      stream.get_local_ip_and_port(local, local_port);
      return this->process_request(stream, remote, remote_port, local, local_port, close, *closed,
                                   setup);
    }
  }
};

}  // namespace headway::server
