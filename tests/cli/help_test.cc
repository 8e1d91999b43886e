// --help, --version, and docs/cli.md, which must tell of every flag.

#include <algorithm>
#include <set>
#include <sstream>

#include "cli_fixture.h"
#include "headway/version.h"
#include "test_paths.h"

namespace headway::cli_test {
namespace {

using HelpTest = CliTest;

const std::vector<Args> kCommands = {{"run"},
                                     {"pack"},
                                     {"serve"},
                                     {"synth"},
                                     {"inspect"},
                                     {"bench"},
                                     {"gate"},
                                     {"lab"},
                                     {"grammar"},
                                     {"grammar", "match"},
                                     {"cache"},
                                     {"eval"},
                                     {"eval", "perplexity"},
                                     {"eval", "agreement"}};

// The flags of a help text's lines "  -n,--tokens N=128   what it does".
std::set<std::string> Flags(const std::string& help) {
  std::set<std::string> flags;
  for (size_t at = help.find("\n  -"); at != std::string::npos; at = help.find("\n  -", at + 1)) {
    std::string names = help.substr(at + 3, help.find_first_of(" {\n", at + 3) - at - 3);
    std::replace(names.begin(), names.end(), ',', ' ');
    std::istringstream words(names);
    for (std::string flag; words >> flag;) flags.insert(flag);
  }
  return flags;
}

TEST_F(HelpTest, Version_IsTheLibrarys) {
  EXPECT_EQ(HeadwayOk({"--version"}).out, std::string("headway ") + kVersion + "\n");
}

TEST_F(HelpTest, EveryCommand_ShowsAnExampleOfItself) {
  EXPECT_NE(HeadwayOk({"--help"}).out.find("headway run models/story-12m.gguf -p"),
            std::string::npos);
  for (Args command : kCommands) {
    std::string example = "  headway";
    for (const std::string& word : command) example += " " + word;
    command.emplace_back("--help");
    const Outcome outcome = HeadwayOk(command);
    EXPECT_NE(outcome.out.find("Example"), std::string::npos) << example;
    EXPECT_NE(outcome.out.find(example), std::string::npos) << example;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(HelpTest, EveryFlag_IsInTheDocumentation) {
  const std::string docs = ReadFile(SourceDirectory() + "/docs/cli.md");
  for (const Args& command : kCommands) {
    std::string heading = "headway";
    for (const std::string& word : command) heading += " " + word;
    const size_t begin = docs.find("## " + heading + "\n");
    ASSERT_NE(begin, std::string::npos) << "docs/cli.md: expected a section '## " << heading << "'";
    const std::string section = docs.substr(begin, docs.find("\n## ", begin) - begin);
    Args help = command;
    help.emplace_back("--help");
    const std::set<std::string> flags = Flags(HeadwayOk(help).out);
    EXPECT_EQ(flags.count("--help"), 1U) << heading;
    for (const std::string& flag : flags) {
      if (flag == "-h" || flag == "--help") continue;
      EXPECT_NE(section.find("`" + flag), std::string::npos)
          << heading << ": docs/cli.md does not tell of " << flag;
    }
  }
}

}  // namespace
}  // namespace headway::cli_test
