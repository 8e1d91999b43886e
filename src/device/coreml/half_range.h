#pragma once

// Powers of two that keep values inside fp16, chosen from what they reached while they were
// recorded. Inside this folder only.

namespace headway::coreml {

// What values without a factor may have reached.
inline constexpr float kMostUnscaled = 32752.0F;

// Whether a factor on fp16 costs no bit.
bool IsPowerOfTwo(float factor);

// The factor, at most 1, with which a value that was seen at `largest` stays four times below the
// largest fp16 number: other texts reach further. 1 where nothing was recorded (0).
float ScaleFor(float largest);

// The factor on what is normalised together before it is squared: the longest that was seen, of
// root of squares `length`, becomes 32 at most, so that squares and their sum keep 64 times their
// room; and not much less, because other tokens' may be a thousand times shorter (a norm behind a
// product, at a text's first token), and squares below 2^-24 are 0. 0 where nothing was recorded.
float PrescaleFor(float length);

}  // namespace headway::coreml
