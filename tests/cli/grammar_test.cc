// `headway run --grammar` and `--json-schema` on the model in models/.

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "cli_fixture.h"
#include "test_paths.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

const std::string kModel = SourceDirectory() + "/models/story-12m.gguf";
constexpr const char* kSchema = R"({"type": "object", "properties": {
    "animal": {"enum": ["fox", "bear", "rabbit"]}, "age": {"type": "integer", "minimum": 1, "maximum": 99},
    "happy": {"type": "boolean"}, "friends": {"type": "array", "items": {"enum": ["Tim", "Anna"]},
    "minItems": 1, "maxItems": 3}}, "required": ["animal", "age", "happy", "friends"]})";

class GrammarTest : public CliTest {
 protected:
  Json RunJson(Args args) const {
    args.insert(args.begin(), {"run", kModel, "-p", "The fox said: ", "--threads", "1"});
    args.emplace_back("--json");
    const Outcome outcome = HeadwayOk(args);
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    return json;
  }
  std::string File(const std::string& name, const std::string& text) const {
    WriteFile(Path(name), text);
    return Path(name);
  }
};

TEST_F(GrammarTest, JsonSchema_GivesSuchJson) {
  const std::string schema = File("schema.json", kSchema);
  for (const char* seed : {"1", "2", "3", "4"}) {
    const Args base = {"--json-schema", schema, "--temp", "1", "--seed", seed, "-n", "200"};
    const Json plain = RunJson(base);
    EXPECT_EQ(plain["stop_reason"], "end");
    const Json text = Json::parse(plain["text"].get<std::string>(), nullptr, false);
    ASSERT_FALSE(text.is_discarded()) << plain["text"];
    EXPECT_TRUE(text["animal"] == "fox" || text["animal"] == "bear" || text["animal"] == "rabbit");
    EXPECT_TRUE(text["age"] >= 1 && text["age"] <= 99);
    EXPECT_TRUE(text["happy"].is_boolean());
    EXPECT_TRUE(text["friends"].size() >= 1 && text["friends"].size() <= 3);
    Args with = base;
    with.insert(with.end(), {"--speculate", "lookup:1..4"});
    EXPECT_EQ(RunJson(with)["generated_ids"], plain["generated_ids"]);
    with = base;
    with.emplace_back("--logprobs");  // computes all rows of every token
    const Json all_rows = RunJson(with);
    EXPECT_EQ(all_rows["generated_ids"], plain["generated_ids"]);
    const Json& c = plain["counters"];
    const auto tokens = plain["generated_ids"].size();
    EXPECT_GT(c["forced_tokens"], 0);
    EXPECT_EQ(c["head_skipped"].get<size_t>(),
              plain["prompt_ids"].size() - 1 + c["forced_tokens"].get<size_t>());
    // The aim is below 60 % of the rows.
    EXPECT_LT(c["head_rows_computed"].get<size_t>(),
              tokens * plain["model"]["vocab_size"].get<size_t>() * 6 / 10);
  }
}

// Whatever -n, from the shortest text of the schema on, what comes out parses; below, it is said.
TEST_F(GrammarTest, AsTokensRunOut_TheTextIsClosed) {
  const std::string schema = File("schema.json", kSchema);
  bool closed = false;
  for (const char* tokens : {"4", "24", "30", "36", "48", "60"}) {
    const Args args = {"run",  kModel,   "-p",    "The fox said: ", "--json-schema",
                       schema, "--temp", "1",     "--seed",         "3",
                       "-n",   tokens,   "--json"};
    const Outcome outcome = Headway(args);
    const Json json = Json::parse(outcome.out, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << outcome.out << outcome.err;
    const Json text = Json::parse(json["text"].get<std::string>(), nullptr, false);
    ASSERT_EQ(outcome.status, text.is_discarded() ? 4 : 0) << json["text"];
    ASSERT_EQ(json["is_cut"], text.is_discarded());
    EXPECT_TRUE(!closed || !text.is_discarded()) << tokens;
    closed = closed || !text.is_discarded();
    if (text.is_discarded()) {
      EXPECT_EQ(json["stop_reason"], "max_tokens");
      EXPECT_NE(outcome.err.find("--json-schema: the text is cut"), std::string::npos)
          << outcome.err;
      EXPECT_NE(outcome.err.find("; -n "), std::string::npos) << outcome.err;
    } else {
      EXPECT_EQ(json["stop_reason"], "end");
      EXPECT_TRUE(text["friends"].is_array());
    }
  }
  EXPECT_TRUE(closed);
  const Args cut = {"run", kModel, "-p", "a", "--json-schema", schema, "-n", "24"};
  Args not_closed = cut;
  not_closed.emplace_back("--no-finish-within-budget");
  const Outcome outcome = Headway(not_closed);
  EXPECT_EQ(outcome.status, 4);
  EXPECT_NE(outcome.out, "");  // the text is kept
  // A grammar's text is cut unless asked for, and one that may end anywhere never is.
  const std::string long_one = File("long", "root ::= [a-z]{90} \"!\"?");
  EXPECT_EQ(Headway({"run", kModel, "-p", "a", "--grammar", long_one, "-n", "8"}).status, 4);
  const std::string open_end = File("open", "root ::= \"(\" [a-z]+ \")\"");
  EXPECT_EQ(Headway({"run", kModel, "-p", "a", "--grammar", open_end, "-n", "8"}).status, 4);
  const Json finished = RunJson({"--grammar", open_end, "-n", "8", "--finish-within-budget"});
  EXPECT_EQ(finished["text"].get<std::string>().back(), ')');
  ExpectRefused({"run", kModel, "-p", "a", "--finish-within-budget"},
                {"--finish-within-budget: expected --grammar or --json-schema beside it"});
}

// The number that an error names completes the text, and one less says the same number.
TEST_F(GrammarTest, ATextThatIsCut_SaysWhatCompletesIt) {
  const auto run = [&](const std::string& schema, int64_t tokens) {
    return Headway({"run", kModel, "-p", "a", "--json-schema", schema, "--temp", "1", "--seed", "3",
                    "-n", std::to_string(tokens)});
  };
  const auto named = [](const std::string& err) {
    const size_t at = err.find("; -n ");
    return at == std::string::npos ? -1 : std::stoll(err.substr(at + 5));
  };
  const std::string schema = File("schema.json", kSchema);
  const int64_t least = named(run(schema, 2).err);
  ASSERT_GT(least, 4);
  EXPECT_EQ(named(run(schema, 3).err), least);
  EXPECT_EQ(run(schema, least).status, 0);
  const Outcome one_less = run(schema, least - 1);
  EXPECT_TRUE(one_less.status == 0 || named(one_less.err) == least) << one_less.err;
  const std::string long_name = File(
      "long.json", R"({"properties": {")" + std::string(12000, 'n') +
                       R"(": {"const": 1}}, "additionalProperties": false, "minProperties": 1})");
  const int64_t of_long = named(run(long_name, 2).err);
  EXPECT_GT(of_long, 100);
  EXPECT_EQ(named(run(long_name, 3).err), of_long);
  // Without finishing, no number is enough by itself.
  const std::string gbnf = File("g", "root ::= \"(\" [a-z]{30} \")\"");
  const Outcome cut = Headway({"run", kModel, "-p", "a", "--grammar", gbnf, "-n", "4"});
  EXPECT_EQ(cut.status, 4);
  EXPECT_NE(cut.err.find(" or more completes it with --finish-within-budget"), std::string::npos)
      << cut.err;
}

TEST_F(GrammarTest, JsonWhitespace_IsCanonicalUnlessFree) {
  const std::string schema = File("schema.json", kSchema);
  const auto text = [&](const Args& more, const std::string& seed) {
    Args args = {"--json-schema", schema, "--temp", "1.5", "--seed", seed, "-n", "300"};
    args.insert(args.end(), more.begin(), more.end());
    return RunJson(args)["text"].get<std::string>();
  };
  int others = 0;
  for (const char* seed : {"1", "2", "3"}) {
    const std::string canonical = text({}, seed);
    EXPECT_EQ(canonical, text({"--json-whitespace", "canonical"}, seed));
    EXPECT_EQ(Headway({"grammar", "match", "--json-schema", schema, "--as-generated",
                       File("canonical", canonical)})
                  .status,
              0)
        << canonical;
    const std::string free = text({"--json-whitespace", "free"}, seed);
    EXPECT_FALSE(Json::parse(free, nullptr, false).is_discarded()) << free;
    EXPECT_EQ(Headway({"grammar", "match", "--json-schema", schema, File("free", free)}).status, 0)
        << free;
    EXPECT_EQ(free.find("\n\n\n"), std::string::npos);
    EXPECT_EQ(free.find(std::string(17, ' ')), std::string::npos);
    others +=
        Headway({"grammar", "match", "--json-schema", schema, "--as-generated", File("free", free)})
            .status;
  }
  EXPECT_GT(others, 0);  // some text has white space of its own
  ExpectRefused({"run", TinyPhi(), "-p", "a", "--json-whitespace", "free"},
                {"--json-whitespace: expected --json-schema beside it"});
  ExpectRefused({"run", TinyPhi(), "-p", "a", "--json-schema", schema, "--json-whitespace", "no"},
                {"--json-whitespace"});
}

TEST_F(GrammarTest, GrammarsAndTexts_AreReadFromWhatEnds) {
  const std::string schema = R"({"const": "yes"})";
  const Args run = {"run", kModel, "-p", "a", "-n", "9", "--threads", "1"};
  const auto with = [&](Args more, const std::string& text) {
    more.insert(more.begin(), run.begin(), run.end());
    return HeadwayOk(more, {.stdin_text = text}).out;
  };
  EXPECT_EQ(with({"--json-schema", "-"}, schema), "a\"yes\"\n");
  EXPECT_EQ(with({"--json-schema", "/dev/stdin"}, schema), "a\"yes\"\n");
  EXPECT_EQ(with({"--grammar", "-"}, "root ::= \"no\""), "ano\n");
  const std::string fifo = Path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::thread writer([&] { WriteFile(fifo, schema); });
  EXPECT_EQ(with({"--json-schema", fifo}, ""), "a\"yes\"\n");
  writer.join();
  EXPECT_EQ(Headway({"grammar", "match", "--json-schema", "-", File("text", "\"yes\"")},
                    {.stdin_text = schema})
                .status,
            0);
  ExpectRefused({"grammar", "match", "--json-schema", "-", "-"},
                {"stdin: expected one argument '-', found several"}, {.stdin_text = schema});
  ExpectRefused({"run", kModel, "-p", "a", "--json-schema", "/dev/zero"},
                {"/dev/zero: expected at most 16777216 bytes, found more"});
  ExpectRefused({"run", fifo, "-p", "a"}, {fifo, "expected a regular file"});
}

TEST_F(GrammarTest, ABannedEnd_EndsWhatIsComplete) {
  const std::string schema = File("schema.json", R"({"enum": ["yes", "no"]})");
  const Json plain = RunJson({"--json-schema", schema});
  ASSERT_EQ(plain["stop_reason"], "end");
  const std::string end = std::to_string(plain["generated_ids"].back().get<int>());
  const Json banned = RunJson({"--json-schema", schema, "--logit-bias", end + ":-inf"});
  EXPECT_EQ(banned["stop_reason"], "end");
  EXPECT_EQ(banned["text"], plain["text"]);
  std::string ids;  // all but the end token
  for (const Json& id : plain["generated_ids"]) {
    if (std::to_string(id.get<int>()) != end) ids += std::to_string(id.get<int>()) + " ";
  }
  EXPECT_EQ(RunJson({"--json-schema", schema, "--allow-ids", File("ids", ids)})["text"],
            plain["text"]);
}

TEST_F(GrammarTest, Gbnf_LimitsTheText) {
  const std::string file = File("g", "# an answer\nroot ::= (\"yes\" | \"no\") \"!\"{2}\n");
  const Json json = RunJson({"--grammar", file});
  EXPECT_TRUE(json["text"] == "yes!!" || json["text"] == "no!!") << json["text"];
  EXPECT_EQ(json["stop_reason"], "end");
}

TEST_F(GrammarTest, Mistakes_AreNamed) {
  const std::string yes = File("yes", "root ::= \"yes\"");
  const std::string schema = File("schema.json", kSchema);
  const auto refused = [&](const Args& more, const std::vector<std::string>& parts) {
    Args args = {"run", TinyPhi(), "-p", "a"};
    args.insert(args.end(), more.begin(), more.end());
    ExpectRefused(args, parts);
  };
  refused({"--grammar", Path("none")}, {Path("none"), "No such file"});
  refused({"--grammar", yes, "--json-schema", schema},
          {"expected --grammar or --json-schema, found both"});
  refused({"--grammar", yes, "--ignore-end"}, {"--grammar: expected no --ignore-end beside it"});
  refused({"--grammar", File("empty", "")}, {Path("empty") + ": grammar: expected a rule 'root'"});
  refused({"--grammar", File("bad", "root ::= \"a\n")},
          {Path("bad") + ": grammar: line 1, column 12: expected '\"'"});
  refused({"--grammar", File("left", "root ::= root \"a\"")}, {"left recursion"});
  refused({"--json-schema", File("nojson", "{")},
          {Path("nojson") + ": schema: line 1, column 2: expected JSON"});
  refused({"--json-schema", File("not", R"({"items": {"uniqueItems": true}})")},
          {"expected keywords that a grammar can express, found 'uniqueItems'"});
}

TEST_F(GrammarTest, Match_SaysWhereATextLeavesTheGrammar) {
  const std::string schema = File("schema.json", kSchema);
  const std::string good =
      File("good", R"({"animal": "fox", "age": 3, "happy": true, "friends": ["Tim"]})");
  const Args match = {"grammar", "match", "--json-schema", schema};
  const auto run = [&](const Args& more) {
    Args args = match;
    args.insert(args.end(), more.begin(), more.end());
    return Headway(args);
  };
  EXPECT_EQ(run({good}).status, 0);
  EXPECT_EQ(run({good}).out, "match\n");
  EXPECT_EQ(run({good, "--as-generated"}).status, 0);
  const Outcome wrong = run({File("wrong", "{\n\"animal\": \"fix\"}")});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.out.find("no match: byte 14, line 2, column 13"), std::string::npos) << wrong.out;
  const Outcome both = run({"--json", "--texts", File("texts", "\"{\"\n\"[\"\n")});
  EXPECT_EQ(both.status, 1);
  EXPECT_EQ(both.out,
            "{\"match\": false, \"byte\": 1, \"line\": 1, \"column\": 2}\n"
            "{\"match\": false, \"byte\": 0, \"line\": 1, \"column\": 1}\n");
  EXPECT_EQ(Headway({"grammar", "match", "--grammar", File("g", "root ::= \"a\"+"), good}).status,
            1);
  // What no grammar tells: every spelling of numbers, and names that are there twice.
  const std::string spelled =
      File("spelled", "\r\n{\t\"animal\" : \"fox\" ,\"age\":0.30e1,\"happy\":true,\"friends\":[]}");
  const Outcome empty = run({spelled});  // but for the friends
  EXPECT_NE(empty.out.find("byte 59, line 2, column 58"), std::string::npos) << empty.out;
  const std::string open = File("open.json", R"({"minProperties": 2})");
  const auto match_open = [&](const std::string& text) {
    return Headway({"grammar", "match", "--json-schema", open, File("text", text)});
  };
  EXPECT_EQ(match_open(R"({"a": 1, "b": 2})").status, 0);
  const Outcome twice = match_open(R"({"a": 1, "\u0061": 2})");
  EXPECT_EQ(twice.status, 1);
  EXPECT_NE(twice.out.find("byte 9, line 1, column 10: expected names that their object has once"),
            std::string::npos)
      << twice.out;
  ExpectRefused(match, {"expected TEXT or --texts, found neither"});
  ExpectRefused({"grammar", "match", good}, {"expected --grammar or --json-schema, found neither"});
}

TEST_F(GrammarTest, AGrammarThatAllowsNothing_IsAnError) {
  const std::string file = File("g", "root ::= \"yes\"");
  const std::string allow = File("ids", "1 2 3");
  const Outcome outcome =
      Headway({"run", kModel, "-p", "a", "--grammar", file, "--allow-ids", allow});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("grammar: expected a token that may come next, found none"),
            std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace headway::cli_test
