#include "base/quoted.h"

#include <gtest/gtest.h>

namespace headway {
namespace {

TEST(Printable, LinesAndCharactersStay) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("a\tb\n\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x91\x8d"),
            "a\tb\n\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x91\x8d");
}

TEST(Printable, WhatSteersATerminalIsShown) {
  EXPECT_EQ(Printable("\x1b[31mred\r\x7f"), "\\x1b[31mred\\x0d\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "1m"),
            "\\xc2\\x9b1m");  // CSI of eight bits
  EXPECT_EQ(Printable("a\xe2\x80\xae"
                      "b"),
            "a\\xe2\\x80\\xaeb");  // right-to-left override
  EXPECT_EQ(Printable(std::string_view("\0x", 2)), "\\x00x");
}

TEST(PrintableWords, StayInALineAndAreCut) {
  EXPECT_EQ(PrintableWords("a\n\tb\xc3\xa9\x1b\xff"), "a\\n\\x09b\xc3\xa9\\x1b\\xff");
  EXPECT_EQ(PrintableWords(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(PrintableWords(std::string(201, 'x')), std::string(200, 'x') + "...");
}

TEST(Printable, BytesOutsideUtf8AreShown) {
  EXPECT_EQ(Printable("\xff"
                      "a\xc3"),
            "\\xffa\\xc3");
  EXPECT_EQ(Printable("\xc0\x80"), "\\xc0\\x80");                    // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
}

TEST(Quoted, ShowsAllButAsciiAndCutsLongTexts) {
  EXPECT_EQ(Quoted("a\x1b"), "'a\\x1b'");
  EXPECT_EQ(Quoted(std::string(81, 'x')).size(), 80U + std::string("'\xe2\x80\xa6'").size());
}

}  // namespace
}  // namespace headway
