#pragma once

// What a search expects before it reads: guesses that decide about speed alone, never about a
// token. Used by Search, Scores and DirectionForecast.

namespace headway::lmhead {

// What a byte costs against one of the full head's stream, about: strips are 16 whole rows, records
// are short and lie here and there.
inline constexpr double kStripCost = 1.3;
inline constexpr double kRecordCost = 2.0;

// Radii after one bit, two and three, all constants included, in sigma of the logits at D = 3072.
inline constexpr double kExpectedRadii[3] = {4.9, 2.7, 1.6};

}  // namespace headway::lmhead
