#pragma once

// Where a run's prompt comes from: -p, --prompt-file, --ids or --messages, plain or as a chat.

#include <cstdint>
#include <string>
#include <vector>

#include "arguments.h"
#include "headway/engine.h"
#include "headway/result.h"

namespace headway::cli {

inline constexpr uint64_t kMaxPromptBytes = uint64_t{64} << 20;

struct Prompt {
  std::string text;          // of -p and --prompt-file
  std::string messages;      // of --messages, JSON
  ChatOptions chat;          // of --tools, --chat-template and --chat-template-kwargs
  std::vector<int32_t> ids;  // of --ids, from the start; otherwise set by EncodePrompt
};

// Reads what was asked for; needs no model, so that mistakes show before one is opened. Errors:
// kInvalidInput, kNotFound, kIo.
Result<Prompt> ReadPrompt(const RunArguments& arguments);

// The text of --usage; empty when none was named. Errors: kNotFound, kIo.
Result<std::string> ReadUsage(const std::string& file);

// Fills in the ids. Errors: those of Engine::Encode and EncodeChat; kInvalidInput for a text that
// has no tokens.
Result<void> EncodePrompt(const RunArguments& arguments, const Engine& engine, Prompt* prompt);

}  // namespace headway::cli
