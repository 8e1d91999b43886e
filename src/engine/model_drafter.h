#pragma once

// A small model as drafter. It samples with the same parameters and the same noise, which is keyed
// by seed, position and id (docs/sampling.md): where the two models' distributions are close, they
// draw the same token, at any temperature.

#include <memory>
#include <span>
#include <vector>

#include "engine/drafter.h"
#include "engine/session.h"

namespace headway {

class ModelDrafter final : public Drafter {
 public:
  // `session`: of the small model, same vocabulary, made for this use alone. It may be shorter than
  // the sequence: beyond its capacity there are no drafts.
  ModelDrafter(std::unique_ptr<Session> session, int64_t capacity_tokens);

  Result<Draft> Propose(std::span<const int32_t> tokens, int64_t most) override;
  bool IsFree() const override { return false; }

 private:
  std::unique_ptr<Session> session_;
  const int64_t capacity_tokens_;
  std::vector<int32_t> draft_;
};

}  // namespace headway
