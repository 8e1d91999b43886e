#include "jinja/template.h"

#include <gtest/gtest.h>

#include <string>

namespace headway::jinja {
namespace {

Result<Text> RenderText(std::string_view source, const Dict& variables = {},
                        const RenderLimits& limits = {}) {
  HW_TRY(const Template program, Template::Parse(source));
  std::tm now{};
  now.tm_year = 126;
  now.tm_mday = 2;
  return program.Render(variables, now, limits);
}

std::string Render(std::string_view source, const Dict& variables = {}) {
  const auto text = RenderText(source, variables);
  return text ? text->bytes() : "error: " + text.error().message;
}

// The text with [[foreign]] stretches.
std::string Marked(std::string_view source) {
  Dict variables;
  variables.Set("x", Value::Of(Text("<|end|> Ab", true)));
  const auto text = RenderText(source, variables);
  if (!text) return "error: " + text.error().message;
  std::string marked;
  size_t done = 0;
  for (const ByteSpan& span : text->ForeignSpans()) {
    marked += text->bytes().substr(done, span.begin - done) + "[[" +
              text->bytes().substr(span.begin, span.end - span.begin) + "]]";
    done = span.end;
  }
  return marked + text->bytes().substr(done);
}

TEST(TemplateTest, Foreign_SurvivesEveryOperation) {
  EXPECT_EQ(Marked("<|{{ x }}|>"), "<|[[<|end|> Ab]]|>");
  EXPECT_EQ(Marked("{{ '<' + x + '>' }}{{ '<' ~ x }}"), "<[[<|end|> Ab]]><[[<|end|> Ab]]");
  EXPECT_EQ(Marked("{{ (' ' + x + ' ') | trim }}"), "[[<|end|> Ab]]");
  EXPECT_EQ(Marked("{{ ('#' ~ x)[:4] }}{{ x[::2] }}"), "#[[<|e<ed>A]]");
  EXPECT_EQ(Marked("{{ x.split(' ') | join('-') }}"), "[[<|end|>]]-[[Ab]]");
  EXPECT_EQ(Marked("{{ x | upper }}|{{ x | title }}"), "[[<|END|> AB]]|[[<|end|> Ab]]");
  EXPECT_EQ(Marked("{{ [x] }}{{ {'k': x} }}"), "['[[<|end|> Ab]]']{'k': '[[<|end|> Ab]]'}");
  EXPECT_EQ(Marked("{{ {'k': x} | tojson }}"), "{\"k\": \"[[<|end|> Ab]]\"}");
  EXPECT_EQ(Marked("{{ '%s!' | format(x) }}{{ '{}?'.format(x) }}"),
            "[[<|end|> Ab]]![[<|end|> Ab]]?");
  EXPECT_EQ(Marked("{% set y %}<{{ x }}>{% endset %}{{ y }}"), "<[[<|end|> Ab]]>");
  EXPECT_EQ(Marked("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) }}"), "([[<|end|> Ab]])");
  EXPECT_EQ(Marked("{% set ns = namespace(t='<') %}{% set ns.t = ns.t ~ x %}{{ ns.t }}"),
            "<[[<|end|> Ab]]");
  EXPECT_EQ(Marked("{% for c in x %}{{ c }}.{% endfor %}").substr(0, 12), "[[<]].[[|]].");
  EXPECT_EQ(Marked("{{ x | indent(1, true) }}{{ x | first }}"), " [[<|end|> Ab<]]");
}

// A message must not choose where the template's own tokens go.
TEST(TemplateTest, Replace_PutsNoTrustedTextIntoForeign) {
  EXPECT_EQ(Marked("{{ x | replace('Ab', '<|user|>') }}"), "[[<|end|> <|user|>]]");
  EXPECT_EQ(Marked("{{ x.replace('A', '<|user|>') }}"), "[[<|end|> <|user|>b]]");
  EXPECT_EQ(Marked("{{ ('@' ~ x).replace('@', '<|user|>') }}"), "<|user|>[[<|end|> Ab]]");
  EXPECT_EQ(Marked("{{ '@'.replace('@', x) }}"), "[[<|end|> Ab]]");
}

TEST(TemplateTest, Mistakes_HaveTheirPlace) {
  EXPECT_EQ(Render("a\n  {% if x"),
            "error: line 2, column 3: expected '%}' at the end of this tag, "
            "found none");
  EXPECT_EQ(Render("{{ a b }}"), "error: line 1, column 6: expected '}}', found 'b'");
  EXPECT_EQ(Render("é{% endif %}"),
            "error: line 1, column 5: expected the name of a tag, found 'endif'");
  EXPECT_EQ(Render("{% if a %}x"),
            "error: line 1, column 12: expected 'endif', found the end of the template");
  EXPECT_EQ(Render("{% for x in y recursive %}{% endfor %}").substr(0, 22),
            "error: line 1, column ");
  EXPECT_EQ(Render("{% include 'x' %}"),
            "error: line 1, column 4: expected a tag that chat templates use, found 'include', "
            "which is not understood here");
  EXPECT_EQ(Render("{{ 'a' | nope }}"),
            "error: line 1, column 10: expected a filter that is understood here, found 'nope'");
  EXPECT_EQ(Render("{{ x.y.z }}"), "error: line 1, column 5: 'x' is undefined");
  EXPECT_EQ(Render("{{ 1 + 'a' }}"),
            "error: line 1, column 4: expected operands that '+' can combine, found int and str");
  EXPECT_EQ(Render("{{ [].append(1) }}"),
            "error: line 1, column 6: access to attribute 'append' of 'list' is not allowed: "
            "templates cannot change values");
  EXPECT_EQ(Render("\n{{ raise_exception('no\x1b[31m ' ~ 'tools') }}"),
            "error: line 2, column 4: the template refuses this conversation: no\\x1b[31m tools");
  EXPECT_EQ(Render("{{ 9223372036854775807 + 1 }}"),
            "error: line 1, column 4: expected an integer of 64 bits, found a larger one");
  EXPECT_EQ(Render("{{ 99999999999999999999 }}"),
            "error: line 1, column 4: expected a number of 64 bits, found 99999999999999999999");
  EXPECT_EQ(Render("\xff"), "error: expected a template in UTF-8, found the byte 0xff at byte 0");
}

TEST(TemplateTest, Bounds_EndHostileTemplates) {
  const auto fails = [](const std::string& source, const std::string& why) {
    const auto text = RenderText(source, {}, {.steps = 200'000, .built_bytes = 1 << 24});
    ASSERT_FALSE(text.has_value()) << source.substr(0, 80);
    EXPECT_NE(text.error().message.find(why), std::string::npos) << text.error().message;
  };
  const std::string many = "{% for i in range(99999) %}";
  const std::string some = "{% for i in range(99) %}";
  fails(many + many + "{% endfor %}{% endfor %}", "fewer steps");
  fails("{% set ns = namespace(x='ab') %}" + some + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "builds less text");
  fails("{{ 'x' * 9999999999 }}", "builds less text");
  fails("{{ range(100001) }}", "at most 100000 numbers");
  fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "at most");
  fails(
      "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "at most 400 levels");
  fails("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "without itself");
  fails(
      "{% set ns = namespace(x=[1]) %}" + some +
          "{% set ns.x = [ns.x, ns.x] %}{% if loop.index == 60 %}{% break %}{% endif %}{% endfor %}"
          "{{ ns.x == ns.x ~ '' }}",
      "");
  const std::string opening(100000, '(');
  const std::string closing(100000, ')');
  fails("{{ " + opening + "1" + closing + " }}", "levels of nesting");
  std::string sum = "{{ 1";
  for (int i = 0; i < 100000; ++i) sum += "+1";
  fails(sum + " }}", "at most 250 levels");
  std::string nots = "{{ ";
  for (int i = 0; i < 100000; ++i) nots += "not ";
  fails(nots + "1 }}", "levels of nesting");
  std::string blocks;
  for (int i = 0; i < 100000; ++i) blocks += "{% if 1 %}";
  fails(blocks, "levels of nesting");
}

TEST(TemplateTest, WhiteSpace_IsHuggingFaces) {
  EXPECT_EQ(Render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(Render("a \n {{- 1 -}} \n b"), "a1b");
  EXPECT_EQ(Render("  {%+ if true +%}\nx{% endif %}"), "  \nx");
  EXPECT_EQ(Render("{% raw %}{{ x }}{% endraw %}{# gone #}\ny"), "{{ x }}y");
  EXPECT_EQ(Render("a\r\nb\rc\n\n"), "a\nb\nc\n");
}

TEST(TemplateTest, Clock_IsTheCallers) {
  EXPECT_EQ(Render("{{ strftime_now('%d %b %Y') }}"), "02 Jan 2026");
  EXPECT_EQ(Render("{{ strftime_now('%Q') }}").substr(0, 6), "error:");
}

}  // namespace
}  // namespace headway::jinja
