#pragma once

// --head auto: when a certified head is worth its planes (docs/certified_head.md). First by what the
// model file says, so that nobody waits for what cannot pay; then by a forecast from what the model
// reads. Inside this folder only.

#include "device/emitter.h"
#include "tensor/tensor_view.h"

namespace headway::pack {

// The head planned where none is named.
inline constexpr const char* kHeadOfAuto = "full:4";

// The certified head is taken when a token is forecast to cost at most so much of a full pass.
inline constexpr double kMostForecast = 0.75;

// Whether a certified head of these rows [V, D] could pay at all: rows of few channels have wide
// bounds and cost more to bound than to multiply, and a head that lies in the caches needs none.
bool ShapeCanPay(const ConstTensorView& rows);

// Whether packages of that device can read a text while they are made.
bool CanRecord(Emitter* emitter);

}  // namespace headway::pack
