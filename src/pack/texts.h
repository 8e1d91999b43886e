#pragma once

// The texts that models read when packages are made.

#include <string_view>

namespace headway::pack {

// For the states that a certified head learns from: several kinds of text, so that what its states
// have in common is not what one kind has in common.
inline constexpr std::string_view kRecordedText =
    "Once upon a time there was a girl named Mina who lived in a small house near the river. One "
    "morning she found a little boat between the stones. \"Whose boat is this?\" she asked. Nobody "
    "answered, so she climbed in and let the water carry her past the mill and under the old "
    "bridge.\n\n"
    "The committee will meet on Thursday at half past nine. Please send your comments on the draft "
    "budget before then; figures for the second quarter are in the table on page 14. Costs rose by "
    "3.2 percent, mainly because of energy and transport.\n\n"
    "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n"
    "    return total / len(values)\n\n"
    "int main(void) {\n  for (int i = 0; i < 10; ++i) printf(\"%d\\n\", i * i);\n  return 0;\n}\n\n"
    "{\"name\": \"Ada\", \"age\": 36, \"languages\": [\"English\", \"French\"], \"active\": "
    "true}\n\n"
    "Question: Why is the sky blue? Answer: Air scatters short waves of light more than long ones, "
    "so blue reaches the eye from every direction, while red goes straight on. That is also why "
    "the sun looks red in the evening, when its light has a longer way through the air.\n\n"
    "Water boils at 100 degrees at sea level, but at 70 degrees on the highest mountain. Pressure "
    "is what makes the difference: p = p0 * exp(-h / 8400).\n\n"
    "Then the fox said to the bear, \"I am tired and it is getting dark. Let us go home.\" And so "
    "they did, and when they came to the door there was soup on the table.";

// For goldens, teacher-forced. Plain English, so that a trained model's distributions are what they
// are in use; any tokenizer can encode it.
inline constexpr std::string_view kGoldenText =
    "Once upon a time there was a small grey mouse who lived under the floor of a mill. Every "
    "morning she counted the sacks of flour, and every evening she wrote the number on the wall. "
    "One day the number was wrong. \"Somebody has taken a sack,\" said the mouse, and she went to "
    "ask the owl. The owl opened one eye. \"Count again,\" he said, \"from the other end.\" So the "
    "mouse went home and counted again, and this time there were twelve, as there had always been.";

}  // namespace headway::pack
