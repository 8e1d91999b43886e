#pragma once

#include <string>

namespace headway {

// What one side of a conversation says.
struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

}  // namespace headway
