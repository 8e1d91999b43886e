#pragma once

// A protobuf message that is being filled.

#include <exception>

namespace headway::mil::proto {

// Protobuf 3.21 has no exceptions in its own text: a map that was refused memory while it grew
// crashes in its destructor. So what an exception leaves behind is never destroyed, and its memory
// is lost; all else is.
template <class Message>
class MessageHolder {
 public:
  MessageHolder() = default;
  MessageHolder(const MessageHolder&) = delete;
  MessageHolder& operator=(const MessageHolder&) = delete;
  ~MessageHolder() {
    if (std::uncaught_exceptions() == exceptions_before_) delete message_;
  }

  Message& operator*() { return *message_; }
  Message* operator->() { return message_; }

 private:
  int exceptions_before_ = std::uncaught_exceptions();
  Message* message_ = new Message;
};

}  // namespace headway::mil::proto
