#pragma once

// How an answer is generated, told back in llama-server's words.

#include "server/completion_request.h"
#include "server/json.h"

namespace headway::server {

// `max_tokens`: of the request; -1: as many as there is room for.
Json GenerationSettings(const GenerationOptions& options);

// Of `answer` those that `names` asks for, by their paths: {"generation_settings/seed": 1}. Names
// that it has not are left out.
Json OnlyFields(const Json& answer, const std::vector<std::string>& names);

// `body` with the defaults that it does not say itself. A default of `n_predict` yields to any name
// of the number of new tokens.
Json WithDefaults(Json body, const Json& defaults);

}  // namespace headway::server
