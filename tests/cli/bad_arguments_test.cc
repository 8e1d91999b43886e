// Command lines that make no sense: each gets one line that says what was expected.

#include <filesystem>

#include "cli_fixture.h"
#include "kernels/kernel_set.h"

namespace headway::cli_test {
namespace {

using BadArguments = CliTest;

TEST_F(BadArguments, CommandsAndFlags_AreNamed) {
  ExpectRefused({}, {"expected a command (run, pack", "found none", "headway --help"});
  ExpectRefused({"fly"}, {"expected a command (run, pack", "found 'fly'"});
  ExpectRefused({"--fast"}, {"expected a command", "found '--fast'"});
  ExpectRefused({"run"}, {"expected model, found none", "headway run --help"});
  ExpectRefused({"run", "m", "--fast", "-p", "a"}, {"unknown argument '--fast'"});
  ExpectRefused({"run", "m", "extra", "-p", "a"}, {"unknown argument 'extra'"});
  ExpectRefused({"run", "m", "b", "c", "d"}, {"unknown argument 'b c d'"});
  ExpectRefused({"run", "-p", "a", "--", "m", "b", "c"}, {"unknown argument 'b c'"});
  ExpectRefused({"run", "m", "-p"}, {"--prompt: expected a value, found none"});
  ExpectRefused({"run", "m", "-p", "a", "-p", "b"}, {"--prompt: expected once, found 2 times"});
  ExpectRefused({"pack", "m"}, {"expected --output, found none"});
  ExpectRefused({"eval"},
                {"expected a command (perplexity, agreement), found none", "headway eval --help"});
  ExpectRefused({"bench", "speed"}, {"bench: expected one of memory, chain", "found 'speed'"});
}

TEST_F(BadArguments, Numbers_SayWhatTheyMayBe) {
  // Refused before the model is looked at: it does not exist.
  const auto refused = [&](const Args& flags, const std::string& part) {
    Args args = {"run", "no-such-model", "-p", "a"};
    args.insert(args.end(), flags.begin(), flags.end());
    ExpectRefused(args, {part});
  };
  refused({"--temp", "-1"},
          "temperature: expected 0 (greedy) or a positive finite number, found -1");
  refused({"--temp", "nan"},
          "temperature: expected 0 (greedy) or a positive finite number, found nan");
  refused({"--temp", "inf"}, "found inf");
  refused({"--temp", "warm"}, "--temp: expected a number, found 'warm'");
  refused({"--top-p", "0"}, "top-p: expected a number above 0 and at most 1 (off), found 0");
  refused({"--top-p", "2"}, "top-p: expected a number above 0 and at most 1 (off), found 2");
  refused({"--min-p", "-1"}, "min-p: expected a number from 0 (off) to 1, found -1");
  refused({"--repeat-penalty", "0"},
          "repeat-penalty: expected a positive finite number (1: off), found 0");
  refused({"--repeat-last-n", "-2"}, "repeat-last-n: expected -1");
  refused({"--top-k", "-1"}, "top-k: expected 0 (off) or a positive count, found -1");
  refused({"-n", "0"}, "-n: expected 1 or more tokens, found 0");
  refused({"-n", "-5"}, "-n: expected 1 or more tokens, found -5");
  refused({"-n", "many"}, "--tokens: expected a whole number, found 'many'");
  refused({"-n", "99999999999999999999"}, "--tokens: expected a whole number that is smaller");
  refused({"--seed", "-2"}, "--seed: expected");
  refused({"--load", "fast"}, "--load: expected auto, map or copy, found 'fast'");
  refused({"--logit-bias", "5"}, "--logit-bias: expected ID:BIAS,..., found '5'");
  refused({"--logit-bias", "5:x"}, "--logit-bias: expected ID:BIAS,..., found '5:x'");
  refused({"--logprobs"}, "--logprobs: expected --json beside it");
  refused({"--system", "be brief"}, "--system: expected --chat beside it");
}

TEST_F(BadArguments, Threads_AreBounded) {
  ExpectRefused({"run", Package(), "-p", "a", "--threads", "-1"},
                {"threads: expected 1 to 256 (0: all processors), found -1"});
  ExpectRefused({"run", Package(), "-p", "a", "--threads", "100000"}, {"found 100000"});
}

// Every thread's stack takes address space: 256 of them do not fit.
TEST_F(BadArguments, ThreadsThatTheSystemDoesNotStart_AreAMessage) {
  const ProcessOptions little{.max_memory_bytes = int64_t{700} << 20};
  if (Headway({"--version"}, little).status != 0)
    GTEST_SKIP() << "a sanitizer needs more address space than this";
  const std::string package = Package();
  const std::string model = TinyPhi();
  const std::vector<Args> commands = {
      {"run", package, "-p", "a", "--threads", "256"},
      {"pack", model, "-o", Path("new"), "--threads", "256"},
      {"gate", "all", package, "--threads", "256"},
      {"bench", "memory", "--threads", "256"},
  };
  for (const Args& command : commands) {
    const Outcome outcome = Headway(command, little);
    EXPECT_EQ(outcome.status, 2) << command.front() << outcome.err;
    EXPECT_NE(outcome.err.find("threads: expected "), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(", the system started "), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(Path("new")));
}

TEST_F(BadArguments, Prompts_ExactlyOneThatFits) {
  const std::string package = Package();
  ExpectRefused(
      {"run", package},
      {"prompt: expected exactly one of -p, --prompt-file, --ids and --messages, found none"});
  ExpectRefused({"run", package, "-p", "a", "--ids", "1"}, {"found 2"});
  ExpectRefused({"run", package, "--chat", "--ids", "1"},
                {"--chat: expected a prompt of text, found --ids"});
  ExpectRefused({"run", package, "--prompt-file", Path("none")}, {Path("none"), "No such file"});
  ExpectRefused({"run", package, "-p", ""},
                {"prompt: expected some text, found none", "no beginning-of-text token"});
  ExpectRefused({"run", package, "--prompt-file", "-"}, {"prompt: expected some text, found none"});
  ExpectRefused({"run", package, "-p", std::string(5000, 'a')},
                {"prompt: expected at most 512 tokens (the model's context), found 5000"});
  ExpectRefused({"run", package, "--ids", ""},
                {"--ids: expected at least one token id, found none"});
  ExpectRefused({"run", package, "--ids", "1,two"},
                {"--ids: expected token ids like 1,2,3, found 'two'"});
  ExpectRefused({"run", package, "--ids", "1,-1"},
                {"token 1: expected an id from 0 to 319, found -1"});
  ExpectRefused({"run", package, "--ids", "320"},
                {"token 0: expected an id from 0 to 319, found 320"});
}

TEST_F(BadArguments, SampledIds_MustExist) {
  const std::string package = Package();
  WriteFile(Path("empty"), "");
  WriteFile(Path("beyond"), "1 2 320\n");
  ExpectRefused({"run", package, "-p", "a", "--logit-bias", "999:1"},
                {"logit-bias: expected token ids from 0 to 319, found 999"});
  ExpectRefused({"run", package, "-p", "a", "--logit-bias", "1:nan"},
                {"logit-bias: expected a finite number or -inf"});
  ExpectRefused({"run", package, "-p", "a", "--allow-ids", Path("empty")},
                {Path("empty"), "expected at least one token id, found none"});
  ExpectRefused({"run", package, "-p", "a", "--allow-ids", Path("beyond")},
                {"allow-ids: expected token ids from 0 to 319, found 320"});
  ExpectRefused({"run", package, "-p", "a", "--allow-ids", Path("none")}, {Path("none")});
}

TEST_F(BadArguments, Topologies_SayWhereTheCoverBreaks) {
  const auto refused = [&](const std::string& topology, const std::string& part) {
    ExpectRefused({"run", TinyPhi(), "-p", "a", "--topology", topology}, {part});
    ExpectRefused({"pack", TinyPhi(), "-o", Path("new"), "--topology", topology}, {part});
  };
  refused("0", "topology '0': expected at least one layer a shard");
  refused("-1", "topology '-1': expected");
  refused("0:1", "gap: layers [1, 2) are in no shard");
  refused("1:2", "gap: layers [0, 1) are in no shard");
  refused("0:2,1:2", "overlap: layers [1, 2) are in two shards");
  refused("0:3", "layer 2 is beyond the last layer, 1");
  refused("0:1,", "expected BEGIN:END with BEGIN < END, found ''");
  refused("six", "expected BEGIN:END with BEGIN < END, found 'six'");
  ExpectRefused({"run", Package(), "-p", "a", "--topology", "1"},
                {"expected a package with the topology 0:1,1:2, found 0:2", "pack the GGUF again"});
}

TEST_F(BadArguments, Heads_SayWhichThereAre) {
  const auto refused = [&](const std::string& head, const std::string& part) {
    ExpectRefused({"run", TinyPhi(), "-p", "a", "--head", head}, {part});
    ExpectRefused({"pack", TinyPhi(), "-o", Path("new"), "--head", head}, {part});
  };
  refused("full:0", "head shards: expected 1 to 20 for a vocabulary of 320 tokens, found 0");
  refused("full:65", "found 65");
  refused("full:four", "head 'full:four': expected KIND:N with a number N, for example full:4");
  refused("nose:4", "head 'nose:4': expected auto, full:N");
  refused("top1-fp16:4", "not available on the device cpu (available: full:N, certified, ");
  for (const char* routed : {"routed", "routed:64"})
    refused(routed, "not built, since clusters of rows exclude less than they cost");
  ExpectRefused({"run", Package(), "-p", "a", "--head", "full:9"},
                {"expected a package with the head full:9, found full:4, full:1"});
  ExpectRefused({"pack", TinyPhi(), "-o", Path("new"), "--device", "abacus"},
                {"device 'abacus': not in this build"});
}

TEST_F(BadArguments, InstructionSets_AreCheckedAgainstTheProcessor) {
#if defined(__aarch64__)
  const std::string fastest = "neon_i8mm";
#else
  const std::string fastest = "avx512";
#endif
  const std::string package = Package();
  ExpectRefused({"run", package, "-p", "a"},
                {"no set is called 'unknown' (known: " + fastest + ",", "reference"},
                {.environment = {{"HEADWAY_CPU", "unknown"}}});
  for (const kernels::KernelSet* set : kernels::SupportedSets()) {
    if (set != nullptr && set->name == fastest)
      GTEST_SKIP() << "this processor has " << fastest << ": nothing to refuse";
  }
  ExpectRefused({"run", package, "-p", "a"},
                {"'" + fastest + "' was asked for, but this processor lacks"},
                {.environment = {{"HEADWAY_CPU", fastest}}});
}

}  // namespace
}  // namespace headway::cli_test
