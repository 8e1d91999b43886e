#include "gates/logits_source.h"

namespace headway::eval {

LogitsSource SourceOf(Session* session) {
  return [session](std::span<const int32_t> ids, int64_t first_position,
                   const LogitsSink& sink) -> Result<void> {
    session->Truncate(0);
    const auto unscored = static_cast<size_t>(first_position);
    if (unscored > 0) HW_TRY_VOID(session->Append(ids.first(unscored)));
    return session->AppendWithLogits(ids.subspan(unscored), sink);
  };
}

}  // namespace headway::eval
