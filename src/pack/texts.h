#pragma once

// The text that models read when goldens are made.

#include <string_view>

namespace headway::pack {

// For goldens, teacher-forced. Plain English, so that a trained model's distributions are what they
// are in use; any tokenizer can encode it.
inline constexpr std::string_view kGoldenText =
    "Once upon a time there was a small grey mouse who lived under the floor of a mill. Every "
    "morning she counted the sacks of flour, and every evening she wrote the number on the wall. "
    "One day the number was wrong. \"Somebody has taken a sack,\" said the mouse, and she went to "
    "ask the owl. The owl opened one eye. \"Count again,\" he said, \"from the other end.\" So the "
    "mouse went home and counted again, and this time there were twelve, as there had always been.";

}  // namespace headway::pack
