#pragma once

// A connection as the HTTP library reads and writes it. For http_server.cc alone.

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <string>

#include "server/connection.h"
#include "server/http_library.h"

namespace headway::server {

class ConnectionStream final : public httplib::Stream, private StreamOfSomeVersions {
 public:
  explicit ConnectionStream(Connection* connection) : connection_(connection) {}
  bool is_readable() const override { return connection_->IsReadable(); }
  bool is_writable() const override { return connection_->IsThere(); }
  bool wait_readable() const override { return true; }  // read() waits
  bool wait_writable() const override { return connection_->IsThere(); }
  time_t duration() const override { return 0; }  // clients ask; requests have their deadline
  ssize_t read(char* to, size_t size) override { return connection_->Read(to, size); }
  ssize_t write(const char* from, size_t size) override { return connection_->Write(from, size); }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    NameOf(::getpeername, &ip, &port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    NameOf(::getsockname, &ip, &port);
  }
  socket_t socket() const override { return connection_->Socket(); }

 private:
  template <class Ask>
  void NameOf(const Ask& ask, std::string* ip, int* port) const {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> service{};
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (ask(connection_->Socket(), generic, &length) != 0) return;
    if (::getnameinfo(generic, length, host.data(), host.size(), service.data(), service.size(),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0)
      return;
    *ip = host.data();
    *port = static_cast<int>(std::strtol(service.data(), nullptr, 10));
  }

  Connection* const connection_;
};

}  // namespace headway::server
