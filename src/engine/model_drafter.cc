#include "engine/model_drafter.h"

#include <algorithm>
#include <utility>

namespace headway {

ModelDrafter::ModelDrafter(std::unique_ptr<Session> session, int64_t capacity_tokens)
    : session_(std::move(session)), capacity_tokens_(capacity_tokens) {}

Result<Draft> ModelDrafter::Propose(std::span<const int32_t> tokens, int64_t most) {
  const auto length = static_cast<int64_t>(tokens.size());
  if (length + most > capacity_tokens_) return Draft{};
  // What both agree on stays; with guesses that came true only the newest token is run.
  const std::span<const int32_t> mine = session_->Tokens();
  const auto agreed = std::mismatch(mine.begin(), mine.end(), tokens.begin(), tokens.end()).first;
  const auto common = static_cast<size_t>(agreed - mine.begin());
  session_->Truncate(static_cast<int64_t>(common));
  HW_TRY_VOID(session_->Append(tokens.subspan(common)));
  draft_.clear();
  for (int64_t i = 0; i < most; ++i) {
    HW_TRY(const auto choice, session_->Decode());
    draft_.push_back(choice.token);
  }
  return Draft{.tokens = draft_, .ngram = 0};
}

}  // namespace headway
