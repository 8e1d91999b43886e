#pragma once

// What `headway serve` says about requests that do not say it themselves, and about the chat format.

#include <string>

#include "commands.h"
#include "engine/open.h"
#include "server/json.h"

namespace headway::cli {

// The defaults of requests as a JSON object: {"temperature": 0.7}, by the API's names.
server::Json RequestDefaults(const ServeArguments& arguments);

// --chat-template and --chat-template-file: puts the model's chat format in place and returns the
// template's text, empty for a format by name, or none given. Errors: kInvalidInput (both given, no
// such name), those of chat::ChatTemplate::FromSource and of reading the file.
Result<std::string> SetChatTemplate(const ServeArguments& arguments, OpenedModel* model);

}  // namespace headway::cli
