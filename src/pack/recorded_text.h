#pragma once

// The text that RecordStates() has a model read: several kinds, so that what its states have in
// common is not what one kind has in common.

#include <string_view>

namespace headway {

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

}  // namespace headway
