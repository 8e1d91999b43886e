#pragma once

// Evaluations of an opened model on a text: tokenises, makes a session of the right size, runs
// perplexity.h or agreement.h. What `headway eval` and the parity tests call.

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "engine/open.h"
#include "gates/agreement.h"
#include "gates/perplexity.h"
#include "gguf/gguf_file.h"

namespace headway::gates {

// options.first_token is set here, to the model's begin of sequence if its texts have one. Special
// tokens written out in `text` stay text, as in llama-perplexity. Errors: kInvalidInput (windows
// longer than the context, too short a text), and those of the session.
Result<PerplexityReport> PerplexityOfText(const OpenedModel& model, std::string_view text,
                                          PerplexityOptions options, KvType kv = KvType::kF16);

// Compares the first `max_tokens` tokens of `text` (0: as many as the context holds) with the
// straight-line computation from the weights in `reference`, the GGUF that the model was made from.
// Errors: kInvalidInput (an empty text, a reference of another vocabulary), and those of the two.
Result<AgreementReport> AgreementOnText(const OpenedModel& model, const gguf::GgufFile& reference,
                                        std::string_view text, int64_t max_tokens,
                                        KvType kv = KvType::kF16);

}  // namespace headway::gates
